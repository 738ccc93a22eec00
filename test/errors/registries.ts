import { createServer } from 'node:net'
import { openSource } from '../../src/index.ts'
import { hasProgram } from '../support/ability.ts'
import { temporary } from '../support/temporary.ts'
import { makeCertificates } from '../transport/registry/certificates.ts'
import { type OwnRegistryOptions, ownRegistry } from '../transport/registry/own-registry.ts'
import type { Provocation } from './ground.ts'

/** A registry that answers everything in one way; the words of a command that asks it. */
async function asking(options: OwnRegistryOptions): Promise<string[]> {
  const { host } = await ownRegistry(options)
  return ['copy', `docker://${host}/app:1`, 'app:1', '--authfile', '/dev/null']
}

const answering = (status: number, headers: Record<string, string> = {}) =>
  asking({
    before(_, response) {
      response.writeHead(status, headers).end()
      return true
    },
  })

/** Who tries again waits for a while. */
const once = { registry: { patience: { attempts: 1 }, environment: {} } }

/** Errors of registries. */
export const registryErrors: readonly Provocation[] = [
  {
    code: 'PLY_CREDENTIALS',
    what: 'a file of credentials that is a directory',
    says: /no credentials for .*: .*EISDIR/,
    async prepare(ground) {
      const [command, from, to] = await asking({ basic: { me: 'secret' } })
      return [command!, from!, to!, '--authfile', ground.folder('auth')]
    },
  },
  {
    code: 'PLY_UNAUTHORIZED',
    what: 'a registry that asks who this is',
    says: /127\.0\.0\.1:\d+ asks who this is.*ply login 127/,
    prepare: () => asking({ basic: { me: 'secret' } }),
  },
  {
    code: 'PLY_REFUSED',
    what: 'a registry that does not allow it',
    says: /127\.0\.0\.1:\d+ does not allow it.*ply login 127/,
    prepare: () => answering(403),
  },
  {
    code: 'PLY_RATE_LIMITED',
    what: 'a registry that has had enough',
    says: /127\.0\.0\.1:\d+ takes no more requests for now.*try again later/,
    async prepare() {
      const [, from] = await answering(429)
      return async () => (await openSource(from!, once)).image()
    },
  },
  {
    code: 'PLY_REGISTRY',
    what: 'a registry that is a teapot',
    says: /127\.0\.0\.1:\d+: .*418/,
    prepare: () => answering(418),
  },
  {
    code: 'PLY_TLS',
    what: 'a certificate that nobody vouches for',
    says: /no trust in 127\.0\.0\.1:\d+.*--cert-dir.*--tls-verify=false/,
    unless: !hasProgram('openssl') && 'there is no openssl to make a certificate',
    prepare: () => asking({ tls: makeCertificates(temporary()) }),
  },
  {
    code: 'PLY_UNREACHABLE',
    what: 'a port where nobody listens',
    says: /127\.0\.0\.1:\d+ cannot be reached.*see whether its name and the network are right/,
    async prepare() {
      const port = await new Promise<number>((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
          const { port } = server.address() as { port: number }
          server.close(() => resolve(port))
        })
      })
      return async () => (await openSource(`docker://127.0.0.1:${port}/app:1`, once)).image()
    },
  },
]
