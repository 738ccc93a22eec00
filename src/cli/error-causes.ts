import type { ErrorCode } from '../index.ts'

/** Why an error comes up, and what to do about it: sentences in Markdown. */
export interface Explained {
  readonly cause: string
  readonly cure: string
}

type PlyCode = Extract<ErrorCode, `PLY_${string}`>

/** Of every code of plyfs. */
export const causes: Readonly<Record<PlyCode, Explained>> = {
  PLY_ABORTED: {
    cause: 'Somebody asked for it: a signal to the command, or the `signal` of an operation of the library.',
    cure: 'Nothing: what was half done is gone. Run it again when you want it done.',
  },
  PLY_AMBIGUOUS: {
    cause: 'An archive or a layout holds several images, or the beginning of an id fits several, and none was named.',
    cure: 'Name one of those that the message lists: `oci:DIR:TAG`, `docker-archive:FILE:NAME:TAG`, or more of the id.',
  },
  PLY_BAD_ARCHIVE: {
    cause:
      'The file is no image archive or OCI layout, is cut short, or is one of another kind than its transport says.',
    cure: 'Fetch or write it again; a plain tar of a root file system goes in with `ply import`; an OCI directory is `oci:DIR`.',
  },
  PLY_BAD_COMPRESSION: {
    cause: 'The gzip or zstd bytes of a layer do not decompress: damaged, cut short, or followed by something else.',
    cure: 'Get the image again from where it came. If it is so there too, whoever made it has to compress it anew.',
  },
  PLY_BAD_DOCKERFILE: {
    cause: 'A line of the Dockerfile cannot be read, or asks for what is not there. The message has file and line.',
    cure: 'Correct that line. `ply build --check DIR` reads the whole file without building.',
  },
  PLY_BAD_DOCUMENT: {
    cause: 'A manifest, a config, an index or a record is not JSON, or a member of it is missing or has a wrong type.',
    cure: 'Of an image: have it made again by a tool that follows the OCI specification. In the store: `ply fsck --repair`.',
  },
  PLY_BAD_INDEX: {
    cause: 'An index of a layer or tree in the cache is damaged in a way that its checksums do not show.',
    cure: '`ply fsck --repair` removes it; the next command that needs it builds it anew. Nothing is lost.',
  },
  PLY_BAD_KEY: {
    cause: 'The file holds no PEM key of a kind that signs (ECDSA P-256, Ed25519, RSA), or its passphrase is wrong.',
    cure: 'Name another file, or set the passphrase. [Signatures](signatures.md) shows how to make a key.',
  },
  PLY_BAD_LAYER: {
    cause:
      'An entry of a layer breaks a rule of [what a layer means](layer-semantics.md), or all that is odd is refused by `--strict`.',
    cure: 'Make the layer again without it. Where the message has a second line with `--lenient`, that takes it all the same, with a warning.',
  },
  PLY_BAD_REFERENCE: {
    cause:
      'The name of an image cannot be read: upper case in a repository, a tag with spaces, a digest that is too short.',
    cure: 'Write `NAME[:TAG][@sha256:…]`, or `TRANSPORT:DETAILS` as in [the command reference](cli.md#names).',
  },
  PLY_BLOB_NOT_FOUND: {
    cause:
      'A manifest names bytes that are not where it lies: a layout that was copied in part, a registry that lost them.',
    cure: 'Copy the image there again. In the store: `ply fsck --repair --from REFERENCE` fetches what is missing.',
  },
  PLY_BUDGET: {
    cause: 'A layer asks for more than its import may take: entries, depth, sizes, expansion, memory for zstd.',
    cure: 'If you trust the image, raise the budget that the message names: `--limit NAME=VALUE`.',
  },
  PLY_BUILD_FAILED: {
    cause:
      'A command of a `RUN` ended with a code other than 0. The message has the line, the code and what it said last.',
    cure: 'Correct the command. `ply run --rm IMAGE sh`, of the stage before, lets you try it.',
  },
  PLY_CHANGED: {
    cause:
      'A file, a directory or a tag changed while it was read: half of the old and half of the new would be neither.',
    cure: 'Stop what writes to it, or take a snapshot first, and try again.',
  },
  PLY_CONTAINER_BUSY: {
    cause: 'One writer at a time: another process writes to the container, or it is mounted.',
    cure: '`ply ps` says who. Wait, or `ply umount` it; a snapshot or a clone of it can be read meanwhile.',
  },
  PLY_CONTAINER_EXISTS: {
    cause: 'The name is taken by another container.',
    cure: 'Choose another name, or `ply rm NAME`.',
  },
  PLY_CONTAINER_NOT_FOUND: {
    cause: 'There is no container of that name in this store.',
    cure: '`ply ps` lists them. If it is missing there, see whether `--root` or `PLY_ROOT` name the store that you mean.',
  },
  PLY_CREDENTIALS: {
    cause: 'The file of credentials cannot be read, or the program that keeps them (`docker-credential-…`) fails.',
    cure: 'Repair that file or program, name another with `--authfile`, or give `--creds USER:PASSWORD`.',
  },
  PLY_DAMAGED: {
    cause: 'The disk gave other bytes than were written: a page of a layer does not match its checksum.',
    cure: 'Of a cache: run the command again, it is built anew. Of a blob: `ply fsck --repair --from REFERENCE` fetches it. And look after the disk.',
  },
  PLY_DIGEST_MISMATCH: {
    cause:
      'Bytes do not hash to their name: damage on the way, or somebody changed them. Nothing of them was taken in.',
    cure: 'Fetch or copy the image again; if it stays so, tell whoever hands it out.',
  },
  PLY_EXISTS: {
    cause: 'The directory to write to holds something else already.',
    cure: 'Name another one, or empty it first.',
  },
  PLY_IMAGE_NOT_FOUND: {
    cause: 'There is no image of that name, id or tag in that place.',
    cure: 'In the store: `ply images`, `ply load FILE`, `ply copy docker://NAME NAME`. At a registry: `ply tags`.',
  },
  PLY_MOUNT_BUSY: {
    cause: 'A process works in the mount: it has a file open there, or stands in a directory.',
    cure: 'Have the processes that the message names leave, or `ply umount --detach DIR`.',
  },
  PLY_MOUNT_EXISTS: {
    cause: 'Something of ply is mounted there already.',
    cure: '`ply umount DIR`, or choose another directory.',
  },
  PLY_MOUNT_NOT_FOUND: {
    cause: 'No mount of this store has that directory, container or image.',
    cure: '`ply ps` lists the mounts. Those of other stores are seen with their `--root`.',
  },
  PLY_MOUNT_TARGET: {
    cause: 'The directory to mount on is missing, is no directory, or this user may not mount on it.',
    cure: 'Make it, or name one of your own.',
  },
  PLY_NO_NATIVE: {
    cause:
      'The package `koffi`, or a function of the C library, is missing. Writing a store on a disk and mounts need it.',
    cure: 'Install the package with its optional parts, on a system that koffi is made for. Reading, and `:memory:`, work without.',
  },
  PLY_NO_ZSTD_ENCODER: {
    cause: 'Node.js before 22.15 cannot compress zstd, and there is no libzstd.',
    cure: 'Use `--compress gzip`, or Node 22.15 or later, or install libzstd. Reading zstd always works.',
  },
  PLY_PLATFORM_NOT_FOUND: {
    cause: 'The image is there, and not for the platform that was asked for.',
    cure: 'Ask for one that the message lists: `--platform OS/ARCH[/VARIANT]`.',
  },
  PLY_RATE_LIMITED: {
    cause: 'The registry answered 429 until patience was at its end.',
    cure: 'Try again later. Those who are logged in are mostly allowed more: `ply login HOST`.',
  },
  PLY_REFUSED: {
    cause:
      'The registry knows who you are and does not allow it (403), or a setting of this machine blocks that registry.',
    cure: 'Log in as somebody who may, or ask for the permission.',
  },
  PLY_REGISTRY: {
    cause: 'The registry answers what makes no sense, or fails again and again.',
    cure: 'See what it says of itself; try again later; see whether a proxy stands between. `PLY_LOG=debug` shows where.',
  },
  PLY_SERVER_ENDED: {
    cause: 'The process that served a mount by FUSE was killed.',
    cure: 'Mount the container again: what was synced is in it.',
  },
  PLY_SIZE_MISMATCH: {
    cause: 'There are more or fewer bytes than the descriptor says. Nothing of them was taken in.',
    cure: 'Fetch or copy the image again; if it stays so, whoever made it has to correct its manifest.',
  },
  PLY_SNAPSHOT_EXISTS: {
    cause: 'The container has a snapshot of that name.',
    cure: 'Choose another name, or remove that one: `ply rm CONTAINER@SNAPSHOT`.',
  },
  PLY_SNAPSHOT_NOT_FOUND: {
    cause: 'The container has no snapshot of that name.',
    cure: 'Use one that the message lists, or make one: `ply snapshot CONTAINER NAME`.',
  },
  PLY_STORE_BUSY: {
    cause: 'A collection wants the store for itself, and another process is reading images in or collecting.',
    cure: 'Try again when that is done.',
  },
  PLY_STORE_FORMAT: {
    cause: 'The directory is no store, holds other files, or was written by a version that this one does not know.',
    cure: 'Choose another directory with `--root`; or use the version that wrote it. If `ply.json` is damaged: `ply fsck --repair`.',
  },
  PLY_STORE_OWNER: {
    cause: 'The store belongs to another user, who decides what is in it.',
    cure: 'Choose another with `--root`, run it as that user, or trust that user: `--any-owner`.',
  },
  PLY_STORE_READ_ONLY: {
    cause: 'A store that was opened with `readOnly`, or stands below another one, is asked to write.',
    cure: 'Open it for writing, or use another one: `--root`, `PLY_ROOT`.',
  },
  PLY_TLS: {
    cause:
      'Nobody whom this machine trusts vouches for the certificate of the registry, or no TLS connection comes about.',
    cure: 'Name the certificate of its authority: `--cert-dir DIR` or `SSL_CERT_FILE`. Only for a trial: `--tls-verify=false`.',
  },
  PLY_TOO_LARGE: {
    cause: 'A text or document is larger than anything of its kind ever is: a manifest, a Dockerfile, an ignore file.',
    cure: 'See whether the right file was named.',
  },
  PLY_UNAUTHORIZED: {
    cause:
      'The registry wants to know who you are (401), or does not believe it. Many say so of what is not there, too.',
    cure: '`ply login HOST`; and see whether the name is right.',
  },
  PLY_UNKNOWN_TRANSPORT: {
    cause: 'What stands before the first colon is none of the places that ply knows.',
    cure: 'Use one that the message lists; `docker://` has two slashes.',
  },
  PLY_UNREACHABLE: {
    cause: 'No connection to the registry: its name is not known, nobody listens, or the network is down.',
    cure: 'See whether name and port are right, and whether `HTTPS_PROXY` has to be set.',
  },
  PLY_UNREPRESENTABLE: {
    cause:
      'Something cannot be said in the format that it is to be written in: a name with a NUL in a tar, a size beyond an index.',
    cure: 'Write it in another form, or without that file. The message says what it is.',
  },
  PLY_UNSIGNED: {
    cause: 'A signature was asked for, and none by these keys vouches for the image.',
    cure: 'See `ply verify IMAGE --key FILE`; have it signed (`ply sign`), or name the key that it was signed with.',
  },
  PLY_UNSUPPORTED: {
    cause:
      'It is understood, and not done: a foreign media type, another digest algorithm, a way to mount that this machine lacks.',
    cure: 'The message says what it would take. `ply doctor` says what this machine can do.',
  },
  PLY_USAGE: {
    cause: 'Flags or arguments that do not go together, or have a value that cannot be read.',
    cure: '`ply COMMAND --help` shows what there is, with an example.',
  },
}
