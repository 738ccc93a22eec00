import { request } from 'node:http'
import { expect, test } from 'vitest'
import { servePage } from '../../src/explore/index.ts'

function asked(
  address: string,
  { method = 'GET', host }: { method?: string; host?: string } = {},
): Promise<{ status: number | undefined; body: string; headers: unknown }> {
  return new Promise((resolve, reject) => {
    const sent = request(address, { method, ...(host !== undefined && { headers: { host } }) }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve({ status: response.statusCode, body, headers: response.headers }))
    })
    sent.on('error', reject).end()
  })
}

test('a page is served on the loopback address alone, to whoever knows where, and to no other name', async () => {
  const served = await servePage('<p>page</p>')
  const { origin, hostname, port } = new URL(served.address)
  expect(hostname).toBe('127.0.0.1')
  expect(await asked(served.address)).toMatchObject({
    status: 200,
    body: '<p>page</p>',
    headers: { 'cache-control': 'no-store', 'x-frame-options': 'DENY' },
  })
  expect(await asked(served.address, { host: `localhost:${port}` })).toMatchObject({ status: 200 })
  expect(await asked(served.address, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
  expect(await asked(served.address, { host: 'evil.example' })).toMatchObject({ status: 421, body: 'not this host\n' })
  expect(await asked(served.address, { host: '127.0.0.1' })).toMatchObject({ status: 421 })
  expect(await asked(`${origin}/`)).toMatchObject({ status: 404 })
  expect(await asked(served.address, { method: 'POST' })).toMatchObject({ status: 405 })
  await served[Symbol.asyncDispose]()
  await served[Symbol.asyncDispose]()
  await expect(asked(served.address)).rejects.toThrow(/ECONNREFUSED|socket hang up/)
})
