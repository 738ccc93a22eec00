import type { Operation } from '../../model/operation.ts'

/** A user's name and password, or a token that stands for them. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An identity token, for which the registry's token service gives out others. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A token that is sent as it is. */
  | { readonly kind: 'bearer'; readonly token: string }

/** How long a bad network is put up with. Times are milliseconds, sizes bytes. */
export interface PatienceOptions {
  /** Failures in a row, with nothing gained between them, before it is given up; default 6. */
  readonly attempts?: number | undefined
  /** The first pause; each further one is twice as long, and all of them vary by half. Default 250. */
  readonly firstPause?: number | undefined
  /** Longest pause, also where the registry asks for a longer one; default 60 000. */
  readonly longestPause?: number | undefined
  /** All pauses of one request together; default 300 000. */
  readonly pauses?: number | undefined
  /** How long an answer, or its next bytes, may take; default 60 000. */
  readonly silence?: number | undefined
  /** Bytes a second under which a transfer counts as stuck, judged over `silence`; default 512. */
  readonly slowest?: number | undefined
}

/** How to speak with registries. Everything has a default that podman and docker share. */
export interface RegistryOptions {
  /** `false`: certificates are not checked, and without TLS it is done without. Default: checked; loopback may be without TLS. */
  readonly tlsVerify?: boolean | undefined
  /** A directory of `*.crt` (authorities), `*.cert` and `*.key` (client), in place of the `certs.d` directories. */
  readonly certDirectory?: string | undefined
  /** The one file to read credentials from, in place of the usual ones. */
  readonly authFile?: string | undefined
  /** In place of what any file has; `anonymous` asks no file. */
  readonly credentials?: Credentials | 'anonymous' | undefined
  /** In place of the environment of this process: paths of files, proxies, helpers on PATH. */
  readonly environment?: NodeJS.ProcessEnv | undefined
  /** Blobs that travel at the same time; default 4. */
  readonly jobs?: number | undefined
  readonly patience?: PatienceOptions | undefined
  /** Where half blobs are kept for the next attempt, or `false`; default: `$XDG_CACHE_HOME/ply/partial`. */
  readonly partialDirectory?: string | false | undefined
  /** A push sends blobs in pieces of this many bytes; default: each blob at once. */
  readonly uploadPiece?: number | undefined
  /** Other repositories of the same registry that may hold blobs which a push needs. */
  readonly mountFrom?: readonly string[] | undefined
}

/** What goes with every request. */
export interface Request extends Operation {
  readonly options: RegistryOptions
}

export const defaultJobs = 4

export function environmentOf({ environment }: RegistryOptions): NodeJS.ProcessEnv {
  return environment ?? process.env
}
