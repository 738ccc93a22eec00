import { cpus, release } from 'node:os'
import type { Total } from './supervise.ts'

export interface Run {
  readonly totals: readonly Total[]
  readonly findings: readonly string[]
  readonly seed: number
  readonly minutes: string
  readonly jobs: string
  /** Seconds by the clock. */
  readonly clock: number
}

/** What came of a run, as Markdown. */
export function reportOf({ totals, findings, seed, minutes, jobs, clock }: Run): string {
  const cpu = totals.reduce((sum, total) => sum + total.cpu, 0)
  const executions = totals.reduce((sum, total) => sum + total.executions, 0)
  const memory = Math.max(0, ...totals.map((total) => total.memory))
  const date = new Date().toISOString().slice(0, 10)
  return [
    '# The last run of the fuzzer',
    '',
    `\`npm run fuzz -- --minutes ${minutes} --seed ${seed} --jobs ${jobs}\` on ${date}, Node ${process.version}, Linux ${release().replace(/-.*/, '')}, ${cpus().length} cores.`,
    '',
    `${(cpu / 60).toFixed(1)} CPU minutes (${(clock / 60).toFixed(1)} by the clock), ${thousands(executions)} inputs, at most ${memory.toFixed(0)} MB. ${
      findings.length === 0
        ? 'No finding: no crash, no hang, no error without a code, no answer that differs.'
        : `${findings.length} findings:`
    }`,
    ...(findings.length === 0 ? [] : ['', ...findings.map((finding) => `- ${finding}`)]),
    '',
    '| target | CPU, s | inputs | inputs/s | kept | code reached | slowest, ms | peak, MB | processes |',
    '| --- | --: | --: | --: | --: | --: | --: | --: | --: |',
    ...totals.map((total) =>
      [
        '',
        total.target,
        total.cpu.toFixed(0),
        thousands(total.executions),
        thousands(Math.round(total.executions / Math.max(total.cpu, 0.1))),
        total.kept,
        `${((100 * total.coverage.run) / Math.max(1, total.coverage.all)).toFixed(1)} %`,
        total.slowest.toFixed(0),
        total.memory.toFixed(0),
        total.processes,
        '',
      ]
        .join(' | ')
        .trim(),
    ),
    '',
    'Characters of code that had run after a share of the time, in thousands:',
    '',
    '| target | seeds | 1 % | 10 % | 50 % | 100 % |',
    '| --- | --: | --: | --: | --: | --: |',
    ...totals.map(
      (total) => `| ${total.target} | ${[0, 0.01, 0.1, 0.5, 1].map((share) => grown(total, share)).join(' | ')} |`,
    ),
    '',
  ].join('\n')
}

function grown({ growth, cpu }: Total, share: number): string {
  const there = growth.find((point) => point.cpu >= share * cpu) ?? growth.at(-1)
  return there === undefined ? '' : (there.run / 1000).toFixed(1)
}

function thousands(value: number): string {
  return value.toLocaleString('en-US')
}
