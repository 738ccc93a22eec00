/** The language of Dockerfiles: what one says, before anything is done about it. */
export { badDockerfile, meant } from './failure.ts'
export { contentOf, type Flag, type Heredoc, type Instruction } from './instruction.ts'
export type { RunMount } from './mounts.ts'
export type { Pair } from './pairs.ts'
export type { Directives } from './read.ts'
export { type Dockerfile, parseDockerfile, parseTrigger, type Stage, stageNamed, targetOf } from './stages.ts'
export type { Command, Copying, HealthcheckMeaning, Meaning, Step } from './step.ts'
export { expandWord, expandWords, type Variables, type WordOptions } from './words.ts'
