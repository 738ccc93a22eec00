import type { Platform } from './documents.ts'
import { PlyError } from './errors.ts'

// Maps: what is looked up comes from documents, and may be called `constructor`.
const systems = new Map([['macos', 'darwin']])

/** Other spellings of an architecture, with the variant they imply. */
const architectures = new Map<string, readonly [string, string?]>(
  Object.entries({
    x86_64: ['amd64'],
    'x86-64': ['amd64'],
    x64: ['amd64'],
    i386: ['386'],
    i686: ['386'],
    ia32: ['386'],
    aarch64: ['arm64'],
    armhf: ['arm', 'v7'],
    armel: ['arm', 'v6'],
    ppc64el: ['ppc64le'],
    mipsel: ['mipsle'],
    loongarch64: ['loong64'],
  } satisfies Record<string, readonly [string, string?]>),
)

const known = new Set(
  '386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x wasm'.split(' '),
)

/** Variants from the oldest to the newest: a machine of one runs images of all before it. */
const variants = new Map<string, readonly string[]>([
  ['amd64', ['v1', 'v2', 'v3', 'v4']],
  ['arm', ['v5', 'v6', 'v7', 'v8']],
  ['arm64', ['v8', 'v9']],
])

/** What an architecture means without a variant. */
const usual = new Map([
  ['amd64', 'v1'],
  ['arm', 'v7'],
  ['arm64', 'v8'],
])

/**
 * Reads `os/arch[/variant]`, or an architecture alone (on linux), in any usual spelling.
 *
 * @throws PLY_USAGE
 */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().toLowerCase().split('/')
  const wrong = () =>
    new PlyError('PLY_USAGE', {
      reason: `not a platform: ${JSON.stringify(text)}; write os/arch[/variant], such as linux/arm64`,
    })
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9][a-z0-9_.-]*$/.test(part))) throw wrong()
  if (parts.length === 1 && !known.has(parts[0]!) && !architectures.has(parts[0]!)) throw wrong()
  const [os, architecture, variant] = parts.length === 1 ? ['linux', parts[0]!] : (parts as [string, string, string?])
  return normalPlatform({ os, architecture, ...(variant !== undefined && { variant }) })
}

/** One spelling for each platform. A variant that goes without saying is left out. */
export function normalPlatform(platform: Platform): Platform {
  const os = systems.get(platform.os.toLowerCase()) ?? platform.os.toLowerCase()
  const spelled = platform.architecture.toLowerCase()
  const [architecture, implied] = architectures.get(spelled) ?? [spelled]
  const given = platform.variant?.toLowerCase() || implied
  const variant = given !== undefined && /^\d+$/.test(given) ? `v${given}` : given
  return { os, architecture, ...(variant !== undefined && variant !== usual.get(architecture) && { variant }) }
}

export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalPlatform(platform)
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

/** What images run on this machine: always linux, with the architecture of the process. */
export function thisPlatform(architecture: string = process.arch): Platform {
  return normalPlatform({ os: 'linux', architecture: architecture === 'ppc64' ? 'ppc64le' : architecture })
}

/** How well an image of `has` runs on a machine of `wanted`: 0 for not at all, more is better. */
export function fitness(wanted: Platform, has: Platform): number {
  const machine = normalPlatform(wanted)
  const image = normalPlatform(has)
  if (machine.os !== image.os || machine.architecture !== image.architecture) return 0
  const order = variants.get(machine.architecture) ?? []
  const variantOf = (platform: Platform) => platform.variant ?? usual.get(machine.architecture) ?? ''
  if (variantOf(machine) === variantOf(image)) return order.length + 1
  const at = order.indexOf(variantOf(image))
  return at >= 0 && at < order.indexOf(variantOf(machine)) ? at + 1 : 0
}

/** The candidate that runs best on a machine; the first among equals. `undefined` if none does. */
export function bestFor<T>(
  wanted: Platform,
  candidates: readonly T[],
  platformOf: (candidate: T) => Platform,
): T | undefined {
  let best: T | undefined
  let most = 0
  for (const candidate of candidates) {
    const fits = fitness(wanted, platformOf(candidate))
    if (fits > most) {
      best = candidate
      most = fits
    }
  }
  return best
}
