import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeCertificates, type TestCertificates } from '../transport/registry/certificates.ts'

export const username = 'somebody'
export const password = 'correct-horse'
/** Of that password; made with bcrypt, as the registry wants it. */
const hash = '$2b$05$abcdefghijklmnopqrstuuZ0Fx87Pb/Aqb0E90lfvCwzXnaFKUHpS'

export interface DebianRegistry extends AsyncDisposable {
  readonly host: string
  readonly certificates: TestCertificates | undefined
  /** What to give to clients as the directory of certificates. */
  readonly certDirectory: string
}

/** Debian's `docker-registry` on loopback, with its blobs in a directory; with TLS and a password, or without. */
export async function debianRegistry(
  directory: string,
  { secured = false }: { readonly secured?: boolean } = {},
): Promise<DebianRegistry> {
  mkdirSync(directory, { recursive: true })
  const port = await freePort()
  const host = `127.0.0.1:${port}`
  const certificates = secured ? makeCertificates(directory) : undefined
  const certDirectory = join(directory, 'certs')
  mkdirSync(certDirectory)
  if (certificates) writeFileSync(join(certDirectory, 'ca.crt'), certificates.ca)
  writeFileSync(join(directory, 'htpasswd'), `${username}:${hash}\n`)
  const tls = certificates && `, tls: {certificate: ${certificates.certFile}, key: ${certificates.keyFile}}`
  const settings = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${join(directory, 'data')}}, delete: {enabled: true}}
validation: {manifests: {urls: {allow: ['.*']}}}
http: {addr: '${host}'${tls ?? ''}}
${secured ? `auth: {htpasswd: {realm: here, path: ${join(directory, 'htpasswd')}}}` : ''}
`
  writeFileSync(join(directory, 'config.yml'), settings)
  const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  child.on('error', (error) => {
    said += error.message
  })
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries === 200 || child.exitCode !== null) throw new Error(`docker-registry does not start: ${said}`)
    await sleep(50)
  }
  return {
    host,
    certificates,
    certDirectory,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
