import { fork } from 'node:child_process'
import { Tally } from './engine.ts'
import type { Summary } from './report.ts'

/** Runs the command so many times at once, each with arguments of its own, and adds up what the runs have seen. */
export async function shared(jobs: number, args: (job: number) => readonly string[]): Promise<Summary> {
  const summaries = await Promise.all(Array.from({ length: jobs }, (_, job) => one(args(job))))
  const tally = new Tally()
  for (const { operations, kinds, errors, forgiven } of summaries) {
    tally.add({ operations, kinds: new Map(kinds), errors: new Map(errors), forgiven: new Map(forgiven) })
  }
  const { systems, disks } = summaries[0]!
  return {
    operations: tally.operations,
    kinds: [...tally.kinds],
    errors: [...tally.errors],
    forgiven: [...tally.forgiven],
    systems,
    disks,
    cpu: summaries.reduce((sum, { cpu }) => sum + cpu, 0),
    failures: summaries.flatMap(({ failures }) => failures),
  }
}

function one(args: readonly string[]): Promise<Summary> {
  const child = fork(process.argv[1]!, args)
  return new Promise((resolve, reject) => {
    let summary: Summary | undefined
    child.on('message', (message) => {
      summary = message as Summary
    })
    child.on('exit', (code) => {
      if (summary === undefined) reject(new Error(`a process of the oracle ended with ${code}`))
      else resolve(summary)
    })
  })
}
