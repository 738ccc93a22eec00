import * as Flags from '@oclif/core/flags'
import type { Library, SignatureRequirement } from './library.ts'
import { secretFromFile, smallFile } from './secret.ts'
import { UsageError } from './usage-error.ts'
import type { World } from './world.ts'

const signedAs = {
  'signed-as': Flags.string({
    helpValue: 'NAME',
    summary: 'The name that a signature has to be for, HOST/NAME[:TAG], or any; by default the name that is asked for.',
  }),
}

/** What every command takes that takes images in. */
export const requireFlags = {
  'require-signature': Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'FILE',
    summary: 'Take only what this public key has signed; said again, any of them.',
  }),
  ...signedAs,
}

/** What a command takes that signs or checks. */
export const annotationFlag = (summary: string) =>
  Flags.string({ multiple: true, multipleNonGreedy: true, char: 'a', helpValue: 'NAME=VALUE', summary })

export interface RequireFlags {
  readonly 'require-signature'?: readonly string[] | undefined
  readonly 'signed-as'?: string | undefined
}

/** What the flags demand of images; `undefined` if nothing. @throws UsageError; PLY_BAD_KEY; ENOENT, EACCES … with the path */
export async function requirementOf(
  { 'require-signature': files = [], 'signed-as': name }: RequireFlags,
  library: Library,
): Promise<SignatureRequirement | undefined> {
  if (files.length === 0) {
    if (name !== undefined)
      throw new UsageError('--signed-as says of which name a signature is: add --require-signature')
    return undefined
  }
  return { keys: await publicKeys(files, library), ...(name !== undefined && { signedAs: name }) }
}

/** What there is to say where an image of the store is to be signed. */
export async function unsignedInStore(name: string, library: Promise<Library>): Promise<Error> {
  const { PlyError } = await library
  const reason =
    'it is in the store, which keeps no signatures: they are asked for on the way in; name it where it is signed, as docker://HOST/NAME:TAG or oci:DIR:TAG, or, if it was checked when it came in, leave --require-signature out'
  return new PlyError('PLY_UNSIGNED', { what: name, reason })
}

/** @throws PLY_BAD_KEY; ENOENT, EACCES … with the path */
export async function publicKeys(
  files: readonly string[],
  { publicKeyFrom }: Library,
): Promise<SignatureRequirement['keys']> {
  return Promise.all(files.map(async (file) => publicKeyFrom(await smallFile(file), file)))
}

/** @throws UsageError for what is no NAME=VALUE, or the same name twice */
export function annotationsOf(texts: readonly string[] = []): Record<string, string> {
  const annotations: Record<string, string> = Object.create(null)
  for (const text of texts) {
    const [, name, value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? []
    if (name === undefined) throw new UsageError(`--annotation ${text}: write NAME=VALUE`)
    if (name in annotations) throw new UsageError(`--annotation ${name}: say it once`)
    annotations[name] = value
  }
  return annotations
}

/**
 * What a private key is encrypted with: from a file, or the environment; `undefined` where nobody says. @throws UsageError
 */
export async function passphraseFor(
  { 'passphrase-file': file }: { readonly 'passphrase-file'?: string | undefined },
  world: World,
): Promise<string | undefined> {
  if (file !== undefined) return secretFromFile(file, world)
  const { environment } = world
  return environment.PLY_PASSPHRASE ?? environment.COSIGN_PASSWORD
}
