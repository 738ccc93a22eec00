import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface TestCertificates {
  /** The file of the authority. */
  readonly caFile: string
  readonly ca: string
  readonly cert: string
  readonly certFile: string
  readonly key: string
  readonly keyFile: string
  readonly client: { readonly cert: string; readonly key: string }
}

/** An authority, a certificate of it for loopback, and one for a client; made by openssl. */
export function makeCertificates(directory: string): TestCertificates {
  const path = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: directory })
  const key = (name: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', name]
  openssl('req', '-x509', ...key('ca.key'), '-out', 'ca.pem', '-subj', '/CN=test authority', '-days', '2')
  const sign = (name: string, names: string) =>
    openssl(
      ...['req', '-x509', ...key(`${name}.key`), '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '2'],
      ...['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', names, '-addext', 'basicConstraints=critical,CA:FALSE'],
    )
  sign('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
  sign('client', 'extendedKeyUsage=clientAuth')
  const read = (name: string) => readFileSync(path(name), 'utf8')
  return {
    caFile: path('ca.pem'),
    ca: read('ca.pem'),
    cert: read('server.pem'),
    certFile: path('server.pem'),
    key: read('server.key'),
    keyFile: path('server.key'),
    client: { cert: read('client.pem'), key: read('client.key') },
  }
}
