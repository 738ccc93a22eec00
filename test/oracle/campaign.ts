import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Arena, type Line } from './arena.ts'
import type { TestDisk } from './disk.ts'
import { Tally } from './engine.ts'
import { failureText, type Script } from './report.ts'
import { runBatch } from './run.ts'
import { shrink } from './shrink.ts'

/** Most sequences are short, so that many trees are begun with; every eighth batch of a line has long ones. */
const short = { sequences: 50, operations: 60 }
const long = { sequences: 6, operations: 500 }

export interface Campaign {
  readonly operations: number
  readonly seed: string
  readonly lines: readonly Line[]
  readonly disks: readonly TestDisk[]
  /** Ends after so many failures. */
  readonly stop: number
  /** Where failures are written. Absent: nowhere. */
  readonly folder?: string
  found?(text: string, file: string | undefined): void
  progress?(tally: Tally): void
}

/** Runs batches, each line on each disk in turn, until enough was done; answers what was seen, and the texts of the failures. */
export async function campaign(
  plan: Campaign,
): Promise<{ readonly tally: Tally; readonly failures: readonly string[] }> {
  const tally = new Tally()
  const failures: string[] = []
  const arenas = plan.disks.map((disk) => new Arena(disk))
  const places = arenas.flatMap((arena) => plan.lines.map((line) => ({ arena, line })))
  for (let batch = 0; tally.operations < plan.operations && failures.length < plan.stop; batch++) {
    const { arena, line } = places[batch % places.length]!
    const seed = `${plan.seed}/${batch}`
    const failure = await runBatch(arena, line, seed, Math.floor(batch / places.length) % 8 === 7 ? long : short, tally)
    plan.progress?.(tally)
    if (failure === undefined) continue
    const small = await shrink(arena, failure)
    const text = failureText(small)
    let file: string | undefined
    if (plan.folder !== undefined) {
      mkdirSync(plan.folder, { recursive: true })
      file = join(plan.folder, `${seed.replace(/\W/g, '-')}.json`)
      const script: Script = { line: line.name, disk: arena.disk.name, sequences: small.sequences }
      writeFileSync(file, JSON.stringify(script))
    }
    failures.push(text)
    plan.found?.(text, file)
  }
  return { tally, failures }
}
