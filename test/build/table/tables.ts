import { adding } from './adding.ts'
import { argumentCases } from './arguments.ts'
import { copying } from './copying.ts'
import { expansion } from './expansion.ts'
import { heredocs } from './heredocs.ts'
import { ignoring } from './ignoring.ts'
import { parsing } from './parsing.ts'
import { running } from './running.ts'
import { settings } from './settings.ts'
import { stages } from './stages.ts'

/** All cases, by what they are of. */
export const tables = {
  'how a Dockerfile is written': parsing,
  'what is put in for variables': expansion,
  'where arguments hold': argumentCases,
  'texts that stand under an instruction': heredocs,
  'stages, and what is called by a name': stages,
  'what an image says': settings,
  'what COPY takes, and where to': copying,
  'what ADD takes beside': adding,
  'what RUN runs': running,
  'what a context leaves out': ignoring,
} as const
