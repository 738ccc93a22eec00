import fs from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { PlyError } from '../../model/errors.ts'
import { withPath } from '../../sys/system-error.ts'
import { kindAt, readNames } from '../file.ts'
import { environmentOf, type RegistryOptions } from './options.ts'

/** Where Linux systems keep the authorities that they trust. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/**
 * What a connection with a host is secured by: the system's authorities (or `SSL_CERT_FILE`, or those that
 * Node brings), `NODE_EXTRA_CA_CERTS`, and what the directories for this host have: `*.crt` are authorities, `*.cert` with a `*.key` of
 * the same name shows the registry who we are (containers-certs.d(5), as docker has it too).
 *
 * @throws PLY_USAGE for a certificate that is none, or has no key; EACCES … with the path
 */
export function secureContextFor(host: string, options: RegistryOptions): tls.SecureContext {
  const environment = environmentOf(options)
  const authorities: string[] = []
  const add = (path: string | undefined) => path && kindAt(path) === 'file' && authorities.push(read(path).toString())
  // Reading hundreds of them takes longer than a small image: only where one is looked for.
  if (options.tlsVerify !== false) {
    add(environment.SSL_CERT_FILE || systemBundles.find((path) => kindAt(path) === 'file'))
    if (authorities.length === 0) authorities.push(...tls.rootCertificates)
    add(environment.NODE_EXTRA_CA_CERTS)
  }
  const clients: { cert: Buffer; key: Buffer }[] = []
  for (const directory of directoriesFor(host, options)) {
    for (const name of readNames(directory).sort()) {
      const path = join(directory, name)
      if (name.endsWith('.crt')) add(path)
      if (!name.endsWith('.cert')) continue
      const key = `${path.slice(0, -'.cert'.length)}.key`
      if (kindAt(key) !== 'file') throw new PlyError('PLY_USAGE', { reason: `${path} has no key beside it: ${key}` })
      clients.push({ cert: read(path), key: read(key) })
    }
  }
  try {
    const [client] = clients
    return tls.createSecureContext({ ...(authorities.length > 0 && { ca: authorities }), ...client })
  } catch (error) {
    const reason = `a certificate for ${host} cannot be read: ${(error as Error).message}`
    throw new PlyError('PLY_USAGE', { reason }, { cause: error })
  }
}

/** `--cert-dir`, or what there is of the usual directories. */
function directoriesFor(host: string, options: RegistryOptions): string[] {
  if (options.certDirectory !== undefined) return [options.certDirectory]
  const environment = environmentOf(options)
  const home = environment.HOME ?? homedir()
  const roots = [
    join(environment.XDG_CONFIG_HOME || join(home, '.config'), 'containers/certs.d'),
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ]
  return roots.map((root) => join(root, host)).filter(mayRead)
}

/** Root's directories may be closed to others. */
function mayRead(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.R_OK | fs.constants.X_OK)
    return fs.statSync(path).isDirectory()
  } catch {
    return false
  }
}

function read(path: string): Buffer {
  try {
    return fs.readFileSync(path)
  } catch (error) {
    throw withPath(error, path)
  }
}
