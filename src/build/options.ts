import type { LintRule } from '../dockerfile/index.ts'
import type { Image } from '../image/image.ts'
import type { Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import type { StoreOptions } from '../store/store.ts'
import type { BuildCache } from './cache/source.ts'
import type { BuiltSteps } from './cache/target.ts'

/** Something that happens in a build. */
export type BuildEvent =
  | {
      readonly what: 'step'
      /** The name of the stage, or its number. */
      readonly stage: string
      /** Which image it is of, where several are built. */
      readonly platform?: string
      /** From 1. */
      readonly step: number
      readonly steps: number
      /** The instruction as it is written, in one line. */
      readonly text: string
      readonly state: 'begun' | 'cached' | 'done' | 'set'
      /** Milliseconds that it took; absent when it begins. */
      readonly took?: number
      /** Bytes of the layer that it made, where it made one. */
      readonly size?: number
      /** Why nothing could be taken from an earlier build, where that was asked for. */
      readonly because?: string
    }
  | {
      readonly what: 'warning'
      readonly text: string
      readonly line?: number
      /** Which check found it. */
      readonly rule?: LintRule
    }
  /** What a command of a build printed. */
  | { readonly what: 'output'; readonly stage: string; readonly platform?: string; readonly chunk: Uint8Array }

/** What a name of `--from` and FROM means: files, an image, or one for each platform. */
export type NamedContext = Tree | Image | ((platform: string, operation: Operation) => Promise<Image>)

/** What every build takes, whoever says its steps. */
export interface BuildSettings extends Operation {
  /** What COPY and ADD take from. Absent: nothing. Whoever opened it closes it. */
  readonly context?: Tree | undefined
  /** What `--from` and FROM know by name, before anything else does. */
  readonly contexts?: Readonly<Record<string, NamedContext>> | undefined
  readonly args?: Readonly<Record<string, string>> | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined
  /** `os/arch[/variant]`; default: that of this machine. */
  readonly platform?: string | undefined
  /** Seconds since the epoch that all times are lowered to; default: `SOURCE_DATE_EPOCH`, else when the image below was made, else 0. */
  readonly epoch?: number | undefined
  /** Take nothing from earlier builds; or not in these stages. */
  readonly noCache?: boolean | readonly string[] | undefined
  /** What `RUN --mount=type=secret` gives, by its ids. It goes into no key, no history and no layer. */
  readonly secrets?: Readonly<Record<string, Uint8Array>> | undefined
  /** Sockets of agents for `RUN --mount=type=ssh`, by their ids. */
  readonly agents?: Readonly<Record<string, string>> | undefined
  /** `runc`, `crun`, or the path of one. */
  readonly runtime?: string | undefined
  /** How the store is opened by the processes that run commands. */
  readonly opening?: StoreOptions | undefined
  /** Where images come from that no context and no stage is. Default: the store. */
  readonly resolve?: ((name: string, platform: string, operation: Operation) => Promise<Image>) | undefined
  /** Make one layer of all that the build adds to the image that it begins with. */
  readonly squash?: boolean | undefined
  /** Patterns of what the context leaves out, for the check that looks for copies of it. */
  readonly ignored?: readonly string[] | undefined
  /** Say why what could be taken from no earlier build could not. */
  readonly explainCache?: boolean | undefined
  /** So many commands and layers at once, of stages that need nothing of each other; default: any number. */
  readonly jobs?: number | undefined
  /** Where else steps are looked for that no earlier build here has, in this order. Whoever opened them closes them. */
  readonly caches?: readonly BuildCache[] | undefined
  /** Gathers the steps, to be written by `writeBuildCache`. */
  readonly made?: BuiltSteps | undefined
  readonly onEvent?: ((event: BuildEvent) => void) | undefined
}

/** A build of a Dockerfile. */
export interface BuildOptions extends BuildSettings {
  /** Its text. */
  readonly dockerfile: string
  /** What messages call it. Default: `Dockerfile`. */
  readonly file?: string | undefined
  /** A stage, by name or by number; default: the last. */
  readonly target?: string | undefined
}
