import fs from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { codeOf, PlyError } from '../../model/errors.ts'
import { Field, type JsonObject } from '../../model/field.ts'
import { badDocument, parseJson } from '../../model/json.ts'
import { onDisk } from '../disk-errors.ts'
import { withLock } from '../lock.ts'
import { type Credentials, environmentOf, type RegistryOptions } from './options.ts'
import { writePrivate } from './private-file.ts'

const limit = 4 << 20

/** A file of credentials, as docker and podman write it (containers-auth.json(5)). */
export interface AuthFile {
  readonly path: string
  /** Programs that keep the credentials of single registries. */
  readonly credHelpers: ReadonlyMap<string, string>
  /** The program that keeps all others. */
  readonly credsStore: string | undefined
  /** By registry, or by registry and path. */
  readonly auths: ReadonlyMap<string, Credentials>
  /** Registries that are named without any: a helper has them. */
  readonly empty: ReadonlySet<string>
}

/**
 * The files that are asked, the first that knows something wins: `authFile`, or `REGISTRY_AUTH_FILE`, alone; otherwise podman's
 * for this login, podman's own, docker's, and docker's old one.
 */
export function authFilePaths(options: RegistryOptions): string[] {
  const environment = environmentOf(options)
  const only = options.authFile ?? (environment.REGISTRY_AUTH_FILE || undefined)
  if (only !== undefined) return [only]
  const home = environment.HOME ?? homedir()
  return [
    runtimeFile(environment),
    join(environment.XDG_CONFIG_HOME || join(home, '.config'), 'containers/auth.json'),
    join(environment.DOCKER_CONFIG || join(home, '.docker'), 'config.json'),
    join(home, '.dockercfg'),
  ]
}

/** The file that `login` writes: the one that is named, or podman's for this login, which goes when its user logs out. */
export function loginFile(options: RegistryOptions): string {
  return authFilePaths(options)[0]!
}

function runtimeFile(environment: NodeJS.ProcessEnv): string {
  const { XDG_RUNTIME_DIR: runtime } = environment
  return runtime
    ? join(runtime, 'containers/auth.json')
    : join('/run/containers', String(process.getuid?.() ?? 0), 'auth.json')
}

/** `undefined` if there is none. @throws PLY_BAD_DOCUMENT naming the field, never its content; EACCES … with the path */
export function readAuthFile(path: string): AuthFile | undefined {
  const root = readRoot(path)
  if (root === undefined) return undefined
  // The old file has the entries themselves at its root.
  const entries = path.endsWith('.dockercfg') ? root : root.member('auths')
  const auths = new Map<string, Credentials>()
  const empty = new Set<string>()
  if (!entries.absent) {
    for (const key of Object.keys(entries.object())) {
      const found = credentialsIn(entries.member(key), path)
      if (found !== undefined) auths.set(key, found)
      else empty.add(key)
    }
  }
  const credHelpers = new Map<string, string>()
  const helpers = root.member('credHelpers')
  if (!helpers.absent) for (const key of Object.keys(helpers.object())) credHelpers.set(key, helpers.member(key).text())
  const store = root.member('credsStore')
  return { path, auths, empty, credHelpers, credsStore: store.absent ? undefined : store.text() || undefined }
}

/** Changes the file as it stands, keeping what is not about this; made with its directories where there is none. */
export async function changeAuthFile(path: string, change: (root: JsonObject) => JsonObject): Promise<void> {
  await onDisk(path, () => fs.promises.mkdir(dirname(path), { recursive: true, mode: 0o700 }))
  await withLock(`${path}.lock`, undefined, async () => {
    const before = readRoot(path)?.object() ?? {}
    await writePrivate(path, `${JSON.stringify(change(before), undefined, '\t')}\n`)
  })
}

function readRoot(path: string): Field | undefined {
  let raw: Buffer
  try {
    raw = fs.readFileSync(path)
  } catch (error) {
    // /dev/null stands for none in many scripts, and a directory on the way that is none has no such file.
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined
    throw new PlyError(
      'PLY_CREDENTIALS',
      { registry: 'any registry', reason: (error as Error).message },
      { cause: error },
    )
  }
  if (raw.length === 0) return undefined
  const root = new Field(path, '', parsed(raw, path))
  root.object()
  return root
}

/** Without the parser's own words, which quote what they stumble over: it may be a secret. */
function parsed(raw: Uint8Array, path: string): unknown {
  try {
    return parseJson(raw, path, limit)
  } catch (error) {
    throw error instanceof PlyError ? new PlyError(error.code, error.details) : error
  }
}

function credentialsIn(entry: Field, path: string): Credentials | undefined {
  const text = (name: string) => {
    const field = entry.member(name)
    // What is wrong with a secret is not told by showing it.
    if (!field.absent && typeof field.value !== 'string') throw badDocument(path, `${field.path} is not a text`)
    return field.absent ? '' : (field.value as string)
  }
  const bearer = text('registrytoken')
  if (bearer !== '') return { kind: 'bearer', token: bearer }
  const identity = text('identitytoken')
  if (identity !== '') return { kind: 'identity', token: identity }
  const auth = text('auth')
  if (auth === '') {
    const [username, password] = [text('username'), text('password')]
    return username === '' ? undefined : { kind: 'password', username, password }
  }
  const pair = Buffer.from(auth, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon <= 0) throw badDocument(path, `${entry.path}.auth is not NAME:PASSWORD in base64`)
  // Docker pads what it writes.
  return { kind: 'password', username: pair.slice(0, colon), password: pair.slice(colon + 1).replace(/\0+$/, '') }
}
