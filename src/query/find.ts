import { type ByteString, encodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { resolvePath } from '../union/resolve.ts'
import { accountsOf } from './accounts.ts'
import type { Comparison, FindAction, FindExpression, FindPlan, FindTest } from './find-expression.ts'
import { globMatcher } from './glob.ts'
import { type Walked, walkTree } from './walk.ts'

/** How an expression is asked of a tree. */
export interface FindOptions {
  /** Where to begin: a byte string path in the tree, as it is to be shown; default: `/`. A symlink is not followed. */
  readonly from?: ByteString | undefined
  /** What counts as now for ages, in milliseconds since the epoch; default: the clock. */
  readonly now?: number | undefined
}

/** What an expression wants done with something that was found. */
export interface Found extends Walked {
  readonly action: FindAction
  /** The path as find(1) shows it: what was begun at, and the way from there. A byte string. */
  readonly shown: ByteString
}

/**
 * Goes through a tree as find(1) does and tells what its expression wants printed, in the order in which it is met. Nothing is read
 * before it is asked for. Sizes of directories are 0.
 *
 * @throws ENOENT, ENOTDIR, ELOOP for a place that is not there; PLY_USAGE for a user or group that the tree does not know
 */
export function* find(
  tree: Tree,
  plan: FindPlan,
  { from = '/', now = Date.now() }: FindOptions = {},
): Generator<Found, void, undefined> {
  const state: State = { tree, from, pruned: false, stopped: false, actions: [], shown: '' }
  const matches = compile(plan.expression, tree, BigInt(now) * 1_000_000n)
  const { minDepth, maxDepth, contentsFirst } = plan
  const start = startOf(tree, from)
  const begun = start.path
  const enter = () => contentsFirst || !state.pruned
  for (const at of walkTree(tree, { from: begun, ino: start.ino, maxDepth, contentsFirst, enter })) {
    state.pruned = false
    if (at.depth < minDepth) continue
    state.shown = at.depth === 0 ? from : joined(from, begun === '' ? at.path : at.path.slice(begun.length + 1))
    matches(at, state)
    for (const action of state.actions) yield { ...at, action, shown: state.shown }
    state.actions.length = 0
    if (state.stopped) return
  }
}

interface State {
  readonly tree: Tree
  readonly from: ByteString
  shown: ByteString
  /** The directory that was met last is not entered. */
  pruned: boolean
  stopped: boolean
  readonly actions: FindAction[]
}

type Matcher = (at: Walked, state: State) => boolean

function compile(expression: FindExpression, tree: Tree, now: bigint): Matcher {
  switch (expression.is) {
    case 'and':
    case 'or':
    case 'list': {
      const left = compile(expression.left, tree, now)
      const right = compile(expression.right, tree, now)
      if (expression.is === 'and') return (at, state) => left(at, state) && !state.stopped && right(at, state)
      if (expression.is === 'or') return (at, state) => left(at, state) || (!state.stopped && right(at, state))
      return (at, state) => {
        left(at, state)
        return !state.stopped && right(at, state)
      }
    }
    case 'not': {
      const of = compile(expression.of, tree, now)
      return (at, state) => !of(at, state)
    }
    case 'test':
      return compileTest(expression.test, tree, now)
    case 'action':
      return (_, state) => {
        state.actions.push(expression.action)
        return true
      }
    case 'prune':
      return (_, state) => {
        state.pruned = true
        return true
      }
    case 'quit':
      return (_, state) => {
        state.stopped = true
        return true
      }
    default:
      return expression satisfies never
  }
}

function compileTest(test: FindTest, tree: Tree, now: bigint): Matcher {
  const stat = (at: Walked) => tree.stat(at.ino)
  switch (test.test) {
    case 'name': {
      const match = globMatcher(test.pattern, test)
      // The root has no name; find(1) takes it for `/`.
      return ({ name }, { shown }) => match(name === '' ? lastOf(shown) : name)
    }
    case 'path': {
      const match = globMatcher(test.pattern, test)
      return (_, { shown }) => match(shown)
    }
    case 'target': {
      const match = globMatcher(test.pattern, test)
      return ({ kind, ino }) => kind === 'symlink' && match(tree.readlink(ino))
    }
    case 'type': {
      const kinds = new Set(test.kinds)
      return ({ kind }) => kinds.has(kind)
    }
    case 'size':
      return (at) => compares(Math.ceil(stat(at).size / test.unit), test.size)
    case 'newer': {
      const { ino } = startOf(tree, test.path)
      const { mtime } = tree.stat(ino)
      return (at) => stat(at).mtime > mtime
    }
    case 'newerTime':
      return (at) => stat(at).mtime > test.time
    case 'age':
      return (at) => ageMatches(now - stat(at).mtime, test.seconds, test.age)
    case 'mode': {
      const { mode, bits } = test
      return (at) => {
        const own = stat(at).mode
        return bits === 'exactly'
          ? own === mode
          : bits === 'all'
            ? (own & mode) === mode
            : mode === 0 || (own & mode) !== 0
      }
    }
    case 'user':
    case 'group': {
      const number = numberOf(test.name, test.test, tree)
      return test.test === 'user' ? (at) => stat(at).uid === number : (at) => stat(at).gid === number
    }
    case 'uid':
      return (at) => compares(stat(at).uid, test.number)
    case 'gid':
      return (at) => compares(stat(at).gid, test.number)
    case 'links':
      return (at) => compares(stat(at).links, test.number)
    case 'inode':
      return (at) => compares(at.ino, test.number)
    case 'sameFile': {
      const { ino } = startOf(tree, test.path)
      return (at) => at.ino === ino
    }
    case 'empty':
      return (at) => {
        if (at.kind === 'directory') return tree.list(at.ino)[Symbol.iterator]().next().done === true
        return at.kind === 'file' && stat(at).size === 0
      }
    case 'noUser': {
      const { users } = accountsOf(tree)
      return (at) => !users.has(stat(at).uid)
    }
    case 'noGroup': {
      const { groups } = accountsOf(tree)
      return (at) => !groups.has(stat(at).gid)
    }
    case 'true':
      return () => true
    case 'false':
      return () => false
    default:
      return test satisfies never
  }
}

function compares(value: number, { is, than }: Comparison): boolean {
  return is === 'more' ? value > than : is === 'less' ? value < than : value === than
}

/** As find(1): `-mtime 1` is from one day ago to two, `+1` longer than two, `-1` less than one. */
function ageMatches(age: bigint, seconds: number, { is, than }: Comparison): boolean {
  const unit = seconds * 1e9
  const elapsed = Number(age)
  // Minutes are counted to the one that is not over yet, days to the last that is.
  const [low, high] = seconds === 60 ? [(than - 1) * unit, than * unit] : [than * unit, (than + 1) * unit]
  if (is === 'less') return elapsed < than * unit
  if (is === 'more') return seconds === 60 ? elapsed > than * unit : elapsed >= high
  return seconds === 60 ? elapsed > low && elapsed <= high : elapsed >= low && elapsed < high
}

function numberOf(name: string, what: 'user' | 'group', tree: Tree): number {
  const isNumber = /^\d{1,10}$/.test(name)
  // No name can be asked for then, and a number need not be one.
  if (isNumber && tree.unverified) return Number(name)
  const accounts = accountsOf(tree)
  const known = what === 'user' ? accounts.uid(encodeText(name)) : accounts.gid(encodeText(name))
  if (known !== undefined) return known
  if (isNumber) return Number(name)
  throw new PlyError('PLY_USAGE', { reason: `the tree knows no ${what} named ${name}; a number does as well` })
}

/** The place that a path leads to, and where it really is. */
function startOf(tree: Tree, path: ByteString): { readonly path: ByteString; readonly ino: number } {
  const { ino, directory, name } = resolvePath(tree, path === '' ? '/' : path, { follow: false })
  if (ino === undefined) throw new PlyError('ENOENT', { syscall: 'lstat', path })
  const names = name === '' ? [] : [name]
  for (let at = directory; at !== tree.root; at = tree.parent(at)) {
    for (const entry of tree.list(tree.parent(at))) {
      if (entry.ino !== at) continue
      names.unshift(entry.name)
      break
    }
  }
  return { path: names.join('/'), ino }
}

function joined(from: ByteString, rest: ByteString): ByteString {
  return from.endsWith('/') ? `${from}${rest}` : `${from}/${rest}`
}

function lastOf(shown: ByteString): ByteString {
  const trimmed = shown.replace(/\/+$/, '')
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1)
}
