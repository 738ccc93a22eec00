import { spawn } from 'node:child_process'
import { codeOf, PlyError } from '../../model/errors.ts'
import { checkAborted } from '../../model/operation.ts'
import { type Credentials, environmentOf, type Request } from './options.ts'

/** A helper may ask its user something; longer than this nobody waits for the answer. Milliseconds. */
const patience = 120_000
const mostOutput = 1 << 20

/** What a helper says that has nothing for this server. It is an answer, not a failure. */
const notFound = 'credentials not found in native keychain'

/**
 * Asks `docker-credential-NAME` for what it keeps for a server; `undefined` if that is nothing.
 *
 * @throws PLY_CREDENTIALS if there is no such program, or it fails; PLY_ABORTED
 */
export async function askHelper(name: string, server: string, request: Request): Promise<Credentials | undefined> {
  const { status, stdout, stderr } = await runHelper(name, 'get', server, server, request)
  if (status !== 0) {
    if (stdout.trim() === notFound) return undefined
    throw failed(name, server, firstLine(stderr) || firstLine(stdout) || `it ends with ${status}`)
  }
  let found: { readonly Username?: unknown; readonly Secret?: unknown }
  try {
    found = JSON.parse(stdout)
  } catch {
    // Its output may be the secret: neither the text nor the parser's excerpt of it goes into the message.
    throw failed(name, server, 'what it answers is not JSON')
  }
  const { Username: username, Secret: secret } = found ?? {}
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(name, server, 'its answer has no Username and Secret')
  if (secret === '') return undefined
  return username === '<token>' ? { kind: 'identity', token: secret } : { kind: 'password', username, password: secret }
}

/** Has a helper keep a user's password for a server. @throws PLY_CREDENTIALS, PLY_ABORTED */
export async function storeInHelper(
  name: string,
  server: string,
  { username, password }: { readonly username: string; readonly password: string },
  request: Request,
): Promise<void> {
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password })
  const { status, stderr } = await runHelper(name, 'store', input, server, request)
  if (status !== 0) throw failed(name, server, firstLine(stderr) || `it ends with ${status}`)
}

/** Has a helper forget a server. Answers whether it knew it. @throws PLY_CREDENTIALS, PLY_ABORTED */
export async function eraseFromHelper(name: string, server: string, request: Request): Promise<boolean> {
  const { status, stdout, stderr } = await runHelper(name, 'erase', server, server, request)
  if (status !== 0 && stdout.trim() !== notFound)
    throw failed(name, server, firstLine(stderr) || `it ends with ${status}`)
  return status === 0
}

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

async function runHelper(
  name: string,
  verb: 'get' | 'store' | 'erase',
  input: string,
  server: string,
  { options, signal }: Request,
): Promise<Ended> {
  checkAborted(signal)
  // It becomes part of a program's name, and comes from a file.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw failed(name, server, 'that is not the name of a helper')
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(`docker-credential-${name}`, [verb], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environmentOf(options),
      timeout: patience,
      ...(signal && { signal }),
    })
    const out = { stdout: '', stderr: '' }
    for (const which of ['stdout', 'stderr'] as const) {
      child[which].setEncoding('utf8').on('data', (text: string) => {
        if (out[which].length < mostOutput) out[which] += text
      })
    }
    child.on('error', (error) => {
      if (signal?.aborted) return reject(new PlyError('PLY_ABORTED', {}, { cause: signal.reason }))
      const missing = ['ENOENT', 'EACCES'].includes(codeOf(error) ?? '')
      reject(failed(name, server, missing ? `there is no docker-credential-${name} on PATH` : error.message))
    })
    child.on('close', (status) => resolve({ status, ...out }))
    // It may end without reading.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

function failed(name: string, registry: string, reason: string): PlyError {
  return new PlyError('PLY_CREDENTIALS', { registry, reason: `the helper ${name}: ${reason}`, helper: name })
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]!.slice(0, 200)
}
