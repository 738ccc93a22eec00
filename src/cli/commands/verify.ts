import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { registryFlags } from '../registry-flags.ts'
import { annotationFlag, annotationsOf, publicKeys } from '../signature-flags.ts'
import { StoreCommand } from '../store-command.ts'

export class Verify extends StoreCommand {
  static override summary = 'Say who has signed an image, by public keys.'
  static override description =
    'Looks for signatures in the format of cosign beside the image, under the tag sha256-HEX.sig and among its referrers, and checks them: by one of the keys, of the index or of the image that it leads to on this platform, for the name that is asked for. Certificates and transparency logs are not looked at. Prints the digest that a signature vouches for, one line for each; ends with exit code 4 if there is none. To take in nothing but what is signed, use --require-signature of load and copy.'
  static override examples = [
    {
      description: 'An image of a registry',
      command: 'ply verify docker://registry.example.com/team/app:1 --key app.pub',
    },
    {
      description: 'A copy that was signed under its old name',
      command: 'ply verify docker://mirror.example.com/app --key app.pub --signed-as example.com/app',
    },
    {
      description: 'By either of two keys, and with something said besides',
      command: 'ply verify oci:./out:1 --key old.pub --key new.pub -a commit=3f2a --json',
    },
  ]
  static override args = {
    image: requiredArg('docker://HOST/NAME[:TAG][@DIGEST], oci:DIR[:TAG][@DIGEST] or oci-archive:FILE[:TAG].'),
  }
  static override flags = {
    key: Flags.string({
      required: true,
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
      summary: 'A public key (PEM); said again, any of them.',
    }),
    annotation: annotationFlag('The signature has to say this. Repeatable.'),
    'signed-as': Flags.string({
      helpValue: 'NAME',
      summary: 'The name that it has to be for, HOST/NAME[:TAG], or any; in a registry the reference by default.',
    }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Verify)
    const library = await this.library()
    const annotations = annotationsOf(flags.annotation)
    const keys = await publicKeys(flags.key, library)
    const found = await library.verifySignatures(args.image, {
      keys,
      annotations,
      signedAs: flags['signed-as'],
      platform: flags.platform,
      registry: this.registry,
      ...this.operation,
    })
    for (const { subject, key, signedAs, form } of found.signatures)
      this.print(this.quiet ? subject : `${subject} by ${key.slice(0, 19)} as ${signedAs ?? '(no name)'} (${form})`)
    for (const why of new Set(found.refused.map((one) => one.why))) this.say(`another one does not count: ${why}`)
    return found
  }
}
