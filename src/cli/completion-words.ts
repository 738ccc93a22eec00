/** What stands at a place of a command line. */
export type Completed = 'image' | 'images' | 'tree' | 'path' | 'container' | 'place' | 'file' | 'shell'

/**
 * What the arguments of commands are, in their order; the last one of a list is that of all that follow. What is not here takes files, or
 * nothing that anybody could know. It is written down, since asking the commands themselves would load them all.
 */
export const completedArguments: Readonly<Record<string, readonly Completed[]>> = {
  load: ['file'],
  save: ['image'],
  import: ['file'],
  export: ['tree'],
  copy: ['image'],
  sign: ['image'],
  verify: ['image'],
  attach: ['image', 'file'],
  'index create': ['image', 'images'],
  'index add': ['image', 'images'],
  'index remove': ['image'],
  'index annotate': ['image'],
  inspect: ['images'],
  referrers: ['image'],
  history: ['image'],
  ls: ['tree', 'path'],
  cat: ['tree', 'path'],
  stat: ['tree', 'path'],
  tree: ['tree', 'path'],
  find: ['tree', 'path'],
  du: ['tree', 'path'],
  blame: ['image', 'path'],
  diff: ['tree', 'tree'],
  check: ['image'],
  explore: ['tree', 'tree'],
  commit: ['container', 'image'],
  append: ['image'],
  config: ['image'],
  squash: ['image'],
  flatten: ['image'],
  split: ['image'],
  rebase: ['image', 'image'],
  strip: ['image', 'path'],
  epoch: ['image'],
  recompress: ['image'],
  tag: ['image', 'image'],
  rmi: ['images'],
  run: ['image'],
  create: ['image'],
  mount: ['tree', 'file'],
  umount: ['container', 'file'],
  cp: ['place'],
  snapshot: ['container'],
  rollback: ['container'],
  clone: ['container'],
  changes: ['container'],
  rm: ['container'],
  validate: ['images'],
  completion: ['shell'],
}

/** Flags that take what can be found. */
export const completedFlags: Readonly<Record<string, Completed>> = { image: 'image', container: 'container' }

/**
 * The last words of a command line as a shell reads it, of which the last may be unfinished: quotes and backslashes are taken away.
 * What follows `;`, `|` or `&` is a command line of its own.
 */
export function shellWords(line: string): string[] {
  let words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!
    if (quote !== '') {
      if (character === quote) quote = ''
      else if (character === '\\' && quote === '"' && '"\\$`'.includes(line[at + 1] ?? '\0')) word += line[++at]!
      else word += character
    } else if (character === "'" || character === '"') {
      quote = character
      word ??= ''
    } else if (character === '\\') word = (word ?? '') + (line[++at] ?? '')
    else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (';|&'.includes(character)) {
      words = []
      word = undefined
    } else word = (word ?? '') + character
  }
  return [...words, word ?? '']
}
