import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { UsageError } from './usage-error.ts'
import type { World } from './world.ts'

const mostBytes = 64 << 10

/** A password from stdin: all of it, without the line end that `echo` adds. @throws UsageError if there is none, or no end of it */
export async function secretFromStdin({ stdin }: World): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stdin) {
    size += (chunk as Buffer).length
    if (size > mostBytes) throw new UsageError('what stdin holds is too long for a password')
    chunks.push(Buffer.from(chunk as Buffer))
  }
  const secret = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (secret === '') throw new UsageError('there is no password on stdin')
  return secret
}

/** A passphrase from a file, or stdin (`-`), without the line end. @throws UsageError; ENOENT, EACCES … with the path */
export async function secretFromFile(path: string, world: World): Promise<string> {
  if (path === '-') return secretFromStdin(world)
  return (await smallFile(path)).toString('utf8').replace(/\r?\n$/, '')
}

/** A small file in whole, a pipe too: `/dev/fd/3`. @throws UsageError if it is too long; ENOENT, EACCES … with the path */
export async function smallFile(path: string, most = mostBytes): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of createReadStream(path)) {
    size += (chunk as Buffer).length
    if (size > most) {
      const what = most === mostBytes ? ': it is no key, and no passphrase' : ''
      throw new UsageError(`${path} is larger than ${most} bytes${what}`)
    }
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** Asks at the terminal; a `hidden` answer is not shown there. */
export async function askAtTerminal(
  question: string,
  world: World,
  { hidden }: { readonly hidden: boolean },
): Promise<string> {
  const { stdin, stderr, signal } = world
  // Who reads lines would take the question away again where it does not know of it.
  if (hidden) stderr.write(question)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const asking = createInterface({ input: stdin, output: hidden ? nowhere : stderr, terminal: true })
  try {
    return await asking.question(hidden ? '' : question, { signal })
  } finally {
    asking.close()
    if (hidden) stderr.write('\n')
  }
}
