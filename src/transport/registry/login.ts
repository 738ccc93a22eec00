import { basename } from 'node:path'
import { PlyError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/field.ts'
import type { Operation } from '../../model/operation.ts'
import { authFilePaths, changeAuthFile, loginFile, readAuthFile } from './auth-files.ts'
import { eraseFromHelper, storeInHelper } from './credential-helper.ts'
import { dockerKey, keysOf } from './credentials.ts'
import type { RegistryOptions, Request } from './options.ts'
import { defaultRegistry, hostOf } from './remote-name.ts'
import { Session, unexpected } from './session.ts'

/** Who logs in, and where that is kept. */
export interface Login {
  readonly username: string
  readonly password: string
}

/** Where credentials are kept now: a file, or a program that the file names. */
export interface LoggedIn {
  readonly registry: string
  readonly username: string
  readonly file: string
  readonly helper?: string
}

/** Where credentials were removed from. */
export interface LoggedOut {
  readonly registry: string
  /** Whether there was something to forget. */
  readonly removed: boolean
  readonly file: string
  /** Other files that have credentials for it still. */
  readonly elsewhere: readonly string[]
}

/**
 * Logs in to a registry, `HOST[:PORT]`, or to a part of it, `HOST/NAMESPACE`: asks it whether the password is right, then keeps it
 * where podman and docker look, in a file or with the helper that the file names. The last argument is long and may be aborted.
 *
 * @throws PLY_UNAUTHORIZED if it is not; PLY_CREDENTIALS; what every call of a registry throws
 */
export async function login(
  registry: string,
  { username, password }: Login,
  options: RegistryOptions & Operation = {},
): Promise<LoggedIn> {
  const { host, key } = keyFor(registry)
  if (username === '' || username.includes(':')) {
    throw new PlyError('PLY_USAGE', { reason: 'a user name is not empty, and has no colon' })
  }
  const { signal } = options
  const request = { options: { ...options, credentials: { kind: 'password', username, password } as const }, signal }
  await check(host, request)
  const file = loginFile(options)
  const settings = readAuthFile(file)
  const helper = settings?.credHelpers.get(host) ?? settings?.credsStore
  const name = basename(file) === 'config.json' && key === defaultRegistry ? dockerKey : key
  if (helper !== undefined) await storeInHelper(helper, name, { username, password }, request)
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  // The entry shows other tools that somebody is logged in; what it takes is with the helper.
  if (settings?.credHelpers.get(host) === undefined) {
    await changeAuthFile(file, (root) => withEntry(root, name, helper === undefined ? { auth } : {}))
  }
  return { registry: key, username, file, ...(helper !== undefined && { helper }) }
}

/** Forgets what `login` has kept. @throws PLY_CREDENTIALS if a helper fails */
export async function logout(registry: string, options: RegistryOptions & Operation = {}): Promise<LoggedOut> {
  const { host, key } = keyFor(registry)
  const names = key === host ? keysOf(host) : [key]
  const file = loginFile(options)
  const request = { options, signal: options.signal }
  const settings = readAuthFile(file)
  let removed = false
  for (const name of names) {
    const helper = settings?.credHelpers.get(name) ?? settings?.credsStore
    if (helper !== undefined && (await eraseFromHelper(helper, name, request))) removed = true
  }
  const written = names.filter((name) => settings?.auths.has(name) || settings?.empty.has(name))
  if (written.length > 0) await changeAuthFile(file, (root) => withoutEntries(root, written))
  const others = authFilePaths(options).filter((path) => path !== file)
  const elsewhere = others.filter((path) => {
    const other = readAuthFile(path)
    return names.some((name) => other?.auths.has(name) || other?.credHelpers.has(name))
  })
  return { registry: key, removed: removed || written.length > 0, file, elsewhere }
}

async function check(host: string, request: Request): Promise<void> {
  using session = new Session({ registry: host, host: hostOf(host), repository: '', insecure: false }, request)
  const answer = await session.call({ method: 'GET', path: '', scopes: [] }, request)
  if (answer.status !== 200) throw await unexpected(answer, session.endpoint, 'it is not clear who may log in there')
  await answer.discard()
}

/** `https://HOST/v1/` is a way to write `HOST`. @throws PLY_USAGE */
function keyFor(text: string): { readonly host: string; readonly key: string } {
  const plain = text.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '')
  const key = ['index.docker.io', 'registry-1.docker.io'].includes(plain) ? defaultRegistry : plain
  const host = key.split('/', 1)[0]!
  if (/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/.test(host)) return { host, key }
  throw new PlyError('PLY_USAGE', { reason: `${JSON.stringify(text)} is not a registry: write HOST or HOST:PORT` })
}

function withEntry(root: JsonObject, name: string, entry: JsonObject): JsonObject {
  return { ...root, auths: { ...(root.auths as JsonObject | undefined), [name]: entry } }
}

function withoutEntries(root: JsonObject, names: readonly string[]): JsonObject {
  const auths = Object.entries((root.auths as JsonObject | undefined) ?? {}).filter(([name]) => !names.includes(name))
  return { ...root, auths: Object.fromEntries(auths) }
}
