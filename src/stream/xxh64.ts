/**
 * XXH64 with seed 0, of which zstd frames keep the low 32 bits (RFC 8878, section 3.1.1). JavaScript multiplies 32 bits by 32 at
 * most, so each 64-bit number is two halves; BigInt would be twenty times slower.
 */
export class Xxh64 {
  /** The four lanes, low and high half each. */
  readonly #lanes = new Int32Array(8)
  readonly #stripe = Buffer.alloc(32)
  #filled = 0
  #length = 0

  constructor() {
    // prime1 + prime2, prime2, 0, -prime1
    for (const [i, value] of [p1 + p2, p2, 0n, -p1].entries()) {
      this.#lanes[2 * i] = Number(BigInt.asIntN(32, value))
      this.#lanes[2 * i + 1] = Number(BigInt.asIntN(32, value >> 32n))
    }
  }

  update(chunk: Uint8Array): void {
    this.#length += chunk.length
    let at = 0
    if (this.#filled > 0) {
      at = Math.min(32 - this.#filled, chunk.length)
      this.#stripe.set(chunk.subarray(0, at), this.#filled)
      this.#filled += at
      if (this.#filled < 32) return
      this.#consume(this.#stripe, 0, 32)
      this.#filled = 0
    }
    const whole = at + ((chunk.length - at) & ~31)
    this.#consume(chunk, at, whole)
    this.#stripe.set(chunk.subarray(whole), 0)
    this.#filled = chunk.length - whole
  }

  /** The hash, as 64 bits. */
  digest(): bigint {
    const lane = (i: number) => (BigInt(this.#lanes[2 * i + 1]! >>> 0) << 32n) | BigInt(this.#lanes[2 * i]! >>> 0)
    let hash: bigint
    if (this.#length >= 32) {
      hash = u64(rotate(lane(0), 1n) + rotate(lane(1), 7n) + rotate(lane(2), 12n) + rotate(lane(3), 18n))
      for (let i = 0; i < 4; i++) hash = u64((hash ^ round(0n, lane(i))) * p1 + p4)
    } else {
      hash = p5
    }
    hash = u64(hash + BigInt(this.#length))
    let at = 0
    for (; at + 8 <= this.#filled; at += 8)
      hash = u64(rotate(hash ^ round(0n, this.#stripe.readBigUInt64LE(at)), 27n) * p1 + p4)
    for (; at + 4 <= this.#filled; at += 4)
      hash = u64(rotate(hash ^ u64(BigInt(this.#stripe.readUInt32LE(at)) * p1), 23n) * p2 + p3)
    for (; at < this.#filled; at++) hash = u64(rotate(hash ^ u64(BigInt(this.#stripe[at]!) * p5), 11n) * p1)
    hash = u64((hash ^ (hash >> 33n)) * p2)
    hash = u64((hash ^ (hash >> 29n)) * p3)
    return hash ^ (hash >> 32n)
  }

  /** lane = rotate(lane + input * prime2, 31) * prime1, for stripes of four inputs. */
  #consume(bytes: Uint8Array, from: number, to: number): void {
    const lanes = this.#lanes
    for (let lane = 0; lane < 8; lane += 2) {
      let low = lanes[lane]!
      let high = lanes[lane + 1]!
      for (let at = from + lane * 4; at < to; at += 32) {
        const inLow = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
        const inHigh = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24)
        const productLow = Math.imul(inLow, p2Low)
        const productHigh = (highOf(inLow, p2Low) + Math.imul(inLow, p2High) + Math.imul(inHigh, p2Low)) | 0
        const sum = (low >>> 0) + (productLow >>> 0)
        const sumLow = sum | 0
        const sumHigh = (high + productHigh + (sum > 0xffffffff ? 1 : 0)) | 0
        const turnedLow = (sumLow << 31) | (sumHigh >>> 1)
        const turnedHigh = (sumHigh << 31) | (sumLow >>> 1)
        low = Math.imul(turnedLow, p1Low)
        high = (highOf(turnedLow, p1Low) + Math.imul(turnedLow, p1High) + Math.imul(turnedHigh, p1Low)) | 0
      }
      lanes[lane] = low
      lanes[lane + 1] = high
    }
  }
}

const p1 = 0x9e3779b185ebca87n
const p2 = 0xc2b2ae3d27d4eb4fn
const p3 = 0x165667b19e3779f9n
const p4 = 0x85ebca77c2b2ae63n
const p5 = 0x27d4eb2f165667c5n
const p1Low = 0x85ebca87
const p1High = 0x9e3779b1
const p2Low = 0x27d4eb4f
const p2High = 0xc2b2ae3d

/** The high 32 bits of the product of two unsigned 32-bit numbers. */
function highOf(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  // Each sum stays below 2^32, so `>>>` reads it whole.
  const middle = aHigh * bLow + (Math.imul(aLow, bLow) >>> 16)
  const other = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + (middle >>> 16) + (other >>> 16)) | 0
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value)
}

function rotate(value: bigint, by: bigint): bigint {
  return u64((value << by) | (value >> (64n - by)))
}

function round(lane: bigint, input: bigint): bigint {
  return u64(rotate(u64(lane + input * p2), 31n) * p1)
}
