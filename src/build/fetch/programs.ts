import { spawn } from 'node:child_process'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { ByteStream } from '../../stream/bytes.ts'

/** A stream, as a program of the system makes it of another one. @throws PLY_UNSUPPORTED without the program; Error with what it says */
export async function* throughProgram(
  stream: ByteStream,
  program: string,
  args: readonly string[],
  { signal }: Operation = {},
): ByteStream {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], signal })
  const said: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => said.length < 16 && said.push(chunk))
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  ended.catch(() => {})
  // It may have enough before everything was written, and says so by its end.
  child.stdin.on('error', () => {})
  const feeding = (async () => {
    for await (const chunk of stream) {
      if (!child.stdin.writable) return
      await new Promise<void>((resolve) => child.stdin.write(Buffer.from(chunk), () => resolve()))
    }
    child.stdin.end()
  })()
  feeding.catch((error) => child.stdout.destroy(error))
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array
    const code = await ended
    if (code !== 0) throw new Error(`${program} ends with ${code}: ${Buffer.concat(said).toString().trim()}`)
  } catch (error) {
    throw asMissing(error, program)
  } finally {
    child.kill()
  }
}

/** Runs a program to its end. Answers what it printed. @throws as `throughProgram` */
export async function runProgram(
  program: string,
  args: readonly string[],
  { signal, environment }: Operation & { readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    env: { ...process.env, ...environment },
  })
  const out: Buffer[] = []
  const said: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    if (code !== 0) throw new Error(`${program} ends with ${code}: ${Buffer.concat(said).toString().trim()}`)
    return Buffer.concat(out).toString()
  } catch (error) {
    throw asMissing(error, program)
  }
}

function asMissing(error: unknown, program: string): unknown {
  const { code, name } = error as NodeJS.ErrnoException
  if (name === 'AbortError') return new PlyError('PLY_ABORTED', {}, { cause: error })
  if (code !== 'ENOENT') return error
  return new PlyError(
    'PLY_UNSUPPORTED',
    { what: `what ${program} does`, reason: `there is no program ${program}; install it` },
    { cause: error },
  )
}
