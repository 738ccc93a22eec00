// How many bytes come from a registry: a second pull of an image on a base that is there, and looking at one small layer. Prints JSON.
// registry-bytes.mjs HOST:PORT BASE SECOND DIRECTORY      (BASE and SECOND are NAME:TAG in the registry)
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import net from 'node:net'
import { join, resolve } from 'node:path'

const [registry, base, second, directory] = process.argv.slice(2)
const [address, port] = registry.split(':')
let brought = 0
const proxy = net.createServer((client) => {
  const upstream = net.connect(Number(port), address)
  upstream.on('data', (chunk) => {
    brought += chunk.length
  })
  client.pipe(upstream).pipe(client)
  for (const socket of [client, upstream]) socket.on('error', () => {})
})
await new Promise((done) => proxy.listen(0, '127.0.0.1', done))
const host = `127.0.0.1:${proxy.address().port}`
const program = resolve(import.meta.dirname, '../../bin/ply.js')
const root = join(directory, 'bytes-store')
rmSync(root, { recursive: true, force: true })

async function ply(...words) {
  const before = brought
  const environment = { ...process.env, XDG_CACHE_HOME: join(directory, 'bytes-cache') }
  const child = spawn(process.execPath, [program, ...words, '-q', '--root', root], {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [status] = await once(child, 'close')
  if (status !== 0) throw new Error(`ply ${words.join(' ')}: ${status}`)
  return brought - before
}

const looking = await ply('ls', `docker://${host}/${second}`, '/', '-R', '--alone')
const inspecting = await ply('inspect', `docker://${host}/${second}`)
const first = await ply('load', `docker://${host}/${base}`)
const more = await ply('load', `docker://${host}/${second}`)
const again = await ply('load', `docker://${host}/${second}`)
rmSync(root, { recursive: true, force: true })
proxy.close()
console.log(JSON.stringify({ looking, inspecting, first, more, again }))
process.exit(0)
