/** Signatures of images by keys, in the format of cosign: made, found, checked. Knows nothing of where images lie. */
export type { Attached, Attachments, SourceAttachments, WritableAttachments } from './attachments.ts'
export type { Form, Refused } from './candidates.ts'
export { type CarriedSignatures, carrySignatures } from './carry.ts'
export { documentsUnder, indexesOver } from './chain.ts'
export { artifactType, isAbout, referring } from './forms.ts'
export { identityText } from './identity.ts'
export type { KeyKind, SigningKey, VerifyingKey } from './keys.ts'
export { publicKeyFrom } from './keys.ts'
export { type PrivateKeyOptions, privateKeyFrom } from './private-key.ts'
export { type Signed, type Signing, signInto } from './sign.ts'
export {
  checkRequirement,
  type ImageSignature,
  judgedSignatures,
  type SignatureRequirement,
  unsigned,
} from './verify.ts'
