import { isIP } from 'node:net'
import { PlyError } from '../../model/errors.ts'
import { isLoopback } from './remote-name.ts'

/**
 * The proxy for a request, as the environment has it: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in capitals or not.
 * This machine is never asked for through a proxy. `undefined`: straight.
 *
 * @throws PLY_USAGE for an address that is none; the message does not repeat it, for it may hold a password
 */
export function proxyFor(url: URL, environment: NodeJS.ProcessEnv): URL | undefined {
  const pick = (name: string) => environment[name] || environment[name.toLowerCase()] || undefined
  const variable = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const address = pick(variable)
  if (address === undefined || isLoopback(url.host) || isExempt(url, pick('NO_PROXY') ?? '')) return undefined
  const proxy = parsed(address.includes('://') ? address : `http://${address}`)
  if (proxy === undefined || !['http:', 'https:'].includes(proxy.protocol)) {
    throw new PlyError('PLY_USAGE', {
      reason: `${variable} is not the address of an HTTP proxy: write http://HOST:PORT`,
    })
  }
  return proxy
}

/** The header for a proxy that wants a password; its address has it. */
export function proxyAuthorization({ username, password }: URL): Record<string, string> {
  if (username === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

/** `NO_PROXY` as Go reads it: `*`, hosts with what is under them, addresses, networks, each with a port or without. */
function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true
    const [, name = '', wantedPort] = /^(\[[^\]]*\]|[^:]*|[^:]*:[^:]*:.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
    if (name === '' || (wantedPort !== undefined && wantedPort !== port)) return false
    const bare = name.replace(/^\[|\]$/g, '')
    if (bare.includes('/')) return isInNetwork(host, bare)
    if (bare.startsWith('*.')) return host.endsWith(bare.slice(1))
    if (bare.startsWith('.')) return host.endsWith(bare)
    return host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`))
  })
}

function isInNetwork(host: string, network: string): boolean {
  const [base = '', bits = ''] = network.split('/')
  if (isIP(host) !== 4 || isIP(base) !== 4 || !/^\d{1,2}$/.test(bits) || Number(bits) > 32) return false
  const number = (address: string) => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const size = 2 ** (32 - Number(bits))
  return Math.floor(number(host) / size) === Math.floor(number(base) / size)
}

function parsed(address: string): URL | undefined {
  return URL.canParse(address) ? new URL(address) : undefined
}
