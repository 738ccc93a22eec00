import * as Flags from '@oclif/core/flags'
import type { RegistryOptions } from './library.ts'
import { UsageError } from './usage-error.ts'

/** How a registry is spoken with, without who speaks. */
export const connectionFlags = {
  'tls-verify': Flags.option({
    options: ['true', 'false'] as const,
    summary: 'false: any certificate will do, and no TLS as well; loopback may be without it anyway.',
  })(),
  'cert-dir': Flags.string({
    helpValue: 'DIR',
    summary: 'Certificates for registries: *.crt to trust, *.cert and *.key to show.',
  }),
  authfile: Flags.string({
    helpValue: 'FILE',
    summary: 'Where credentials are kept; by default $REGISTRY_AUTH_FILE, and what podman and docker use.',
  }),
}

/** What every command takes that may read or write `docker://`. */
export const registryFlags = {
  ...connectionFlags,
  creds: Flags.string({ helpValue: 'USER:PASSWORD', summary: 'Who to be at the registry, in place of what is kept.' }),
}

export interface RegistryFlags {
  readonly 'tls-verify'?: 'true' | 'false' | undefined
  readonly 'cert-dir'?: string | undefined
  readonly authfile?: string | undefined
  readonly creds?: string | undefined
}

/** What the flags and the environment say of registries. @throws UsageError */
export function registryOptionsOf(flags: RegistryFlags, environment: NodeJS.ProcessEnv): RegistryOptions {
  const { 'tls-verify': verify, 'cert-dir': certDirectory, authfile: authFile, creds } = flags
  const [, username = '', password = ''] = /^([^:]+):(.*)$/s.exec(creds ?? '') ?? []
  // The text is a secret: it is not shown.
  if (creds !== undefined && username === '') throw new UsageError('--creds: write USER:PASSWORD')
  const jobs = environment.PLY_JOBS
  if (jobs !== undefined && !/^[1-9]\d{0,2}$/.test(jobs))
    throw new UsageError(`PLY_JOBS=${jobs}: write a number from 1`)
  return {
    environment,
    ...(verify !== undefined && { tlsVerify: verify === 'true' }),
    ...(certDirectory !== undefined && { certDirectory }),
    ...(authFile !== undefined && { authFile }),
    ...(creds !== undefined && { credentials: { kind: 'password', username, password } as const }),
    ...(jobs !== undefined && { jobs: Number(jobs) }),
  }
}
