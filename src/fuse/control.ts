import { PlyError } from '../model/errors.ts'
import { errorOf, type FailureData, failureData } from './thread-messages.ts'

/** Bytes that a question or an answer may have as JSON: what an ioctl can carry. */
export const largestControl = 16_000

/** `_IOWR('P', 1, char[16000])`: asks the program that serves a mount something that no file call says. On its root alone. */
export const controlCommand = (0xc0000000 | (largestControl << 16) | (0x50 << 8) | 1) >>> 0

/** Who answers control requests, and to whom: root may always ask. */
export interface Control {
  /** The user who may ask, as the mount numbers users. */
  readonly uid: number
  /**
   * Answers with what JSON can say; what it throws is thrown where it was asked, `PlyError`s as such. While it works nothing else is
   * served: it must not touch the mount, nor wait for anybody who does.
   */
  answer(asked: unknown): unknown
}

/** What stands in the memory of an ioctl: JSON and zeros. */
export function controlText(value: unknown): Buffer {
  const text = JSON.stringify(value)
  const memory = Buffer.alloc(largestControl)
  if (Buffer.byteLength(text) > largestControl) throw new PlyError('EOVERFLOW', { syscall: 'ioctl' })
  memory.write(text)
  return memory
}

/** @throws EINVAL for what is no JSON */
export function controlValue(memory: Uint8Array): unknown {
  const end = memory.indexOf(0)
  try {
    return JSON.parse(Buffer.from(memory.subarray(0, end < 0 ? memory.length : end)).toString())
  } catch (error) {
    throw new PlyError('EINVAL', { syscall: 'ioctl' }, { cause: error })
  }
}

type Answered = { readonly answer: unknown } | { readonly failed: FailureData }

/** Has a question answered: with the memory to send back. Never throws. */
export async function controlled({ answer }: Control, asked: unknown): Promise<Buffer> {
  try {
    return controlText({ answer: await answer(asked) } satisfies Answered)
  } catch (error) {
    const { message, code, details } = failureData(error)
    const short = { message: message.slice(0, 4000), code, details }
    const fits = JSON.stringify(short).length < largestControl / 2
    return controlText({ failed: fits ? short : { ...short, details: {} } } satisfies Answered)
  }
}

/** What was answered. @throws what the answering side threw */
export function controlAnswer(memory: Uint8Array): unknown {
  const answered = controlValue(memory) as Answered
  if ('failed' in answered) throw errorOf(answered.failed)
  return answered.answer
}
