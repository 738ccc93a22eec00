import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { registryFlags } from '../registry-flags.ts'
import { askAtTerminal, smallFile } from '../secret.ts'
import { annotationFlag, annotationsOf, passphraseFor } from '../signature-flags.ts'
import { StoreCommand } from '../store-command.ts'

export class Sign extends StoreCommand {
  static override summary = 'Sign an image of a registry or a layout with a private key.'
  static override description =
    'Signs what the reference points at, the manifest or the index, in the format of cosign, and lays the signature beside it: under the tag sha256-HEX.sig, where cosign, skopeo and podman look, or with --referrers as a referrer (OCI 1.1). Keys are ECDSA, RSA or Ed25519 in PEM: PKCS#8, encrypted or not, or as cosign generate-key-pair writes them. The passphrase is read from --passphrase-file, PLY_PASSPHRASE or COSIGN_PASSWORD, or asked for at the terminal. What the same key has said already is not said again. Prints the digest that was signed.'
  static override examples = [
    {
      description: 'An image of a registry',
      command: 'ply sign docker://registry.example.com/team/app:1 --key app.key',
    },
    {
      description: 'An index and every image in it, as podman wants them',
      command: 'ply sign docker://registry.example.com/team/app:1 --key app.key --recursive',
    },
    {
      description: 'With the passphrase from another program, and something said besides',
      command: 'pass app | ply sign docker://example.com/app --key app.key --passphrase-file - -a by=ci',
    },
    {
      description: 'An image of a layout',
      command: 'ply sign oci:./out:1 --key app.key --signed-as registry.example.com/app:1',
    },
  ]
  static override args = { image: requiredArg('docker://HOST/NAME[:TAG][@DIGEST] or oci:DIR[:TAG][@DIGEST].') }
  static override flags = {
    key: Flags.string({ required: true, helpValue: 'FILE', summary: 'The private key.' }),
    'passphrase-file': Flags.string({
      helpValue: 'FILE',
      summary: 'Where the passphrase of the key is: a file, - for stdin, /dev/fd/N for a descriptor.',
    }),
    annotation: annotationFlag('Say this besides; it is signed too. Repeatable.'),
    'tag-scheme': Flags.boolean({
      exclusive: ['referrers'],
      summary: 'Lay the signature under the tag sha256-HEX.sig (the default).',
    }),
    referrers: Flags.boolean({ summary: 'Lay it beside the image as a referrer.' }),
    recursive: Flags.boolean({ summary: 'Sign everything that an index lists as well.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Sign this image of an index, and not the index.' }),
    'signed-as': Flags.string({
      helpValue: 'NAME',
      summary: 'The name that the signature is for, HOST/NAME[:TAG]; in a registry the reference by default.',
    }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Sign)
    const library = await this.library()
    const annotations = annotationsOf(flags.annotation)
    const pem = await smallFile(flags.key)
    const passphrase = (await passphraseFor(flags, this.world)) ?? (await this.#asked(pem))
    const key = await library.privateKeyFrom(pem, { passphrase, what: flags.key })
    const signed = await library.signImage(args.image, {
      key,
      annotations,
      form: flags.referrers ? 'referrers' : 'tag',
      recursive: flags.recursive,
      platform: flags.platform,
      signedAs: flags['signed-as'],
      registry: this.registry,
      ...this.operation,
    })
    this.print(signed.digest)
    const added = signed.signatures.filter((one) => one.added).length
    this.say(added === 0 ? `signed already, as ${signed.signedAs}` : `signed ${count(added)} as ${signed.signedAs}`)
    return signed
  }

  /** Only for what is encrypted, and only where somebody sits. */
  async #asked(pem: Buffer): Promise<string | undefined> {
    if (!this.world.stdinIsTerminal || !pem.includes('ENCRYPTED')) return undefined
    return askAtTerminal('passphrase: ', this.world, { hidden: true })
  }
}

function count(number: number): string {
  return number === 1 ? 'it' : `${number} documents`
}
