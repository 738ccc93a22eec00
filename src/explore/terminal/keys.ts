/** A key that was pressed: a name (`up`, `page-down`, `enter`, `ctrl-a` …), or the character itself. */
export type Key = string

const sequences: Readonly<Record<string, Key>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  Z: 'back-tab',
  '1~': 'home',
  '4~': 'end',
  '7~': 'home',
  '8~': 'end',
  '3~': 'delete',
  '5~': 'page-up',
  '6~': 'page-down',
}

const controls: Readonly<Record<string, Key>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x00': 'ctrl-space',
  '\x1b': 'escape',
}

/**
 * The keys in what a terminal sent. What may be the beginning of a longer sequence is left over, to be put before what comes next; it is
 * told to be all there is by `complete`.
 */
export function keysIn(text: string, complete = false): { readonly keys: readonly Key[]; readonly rest: string } {
  const keys: Key[] = []
  let at = 0
  while (at < text.length) {
    const left = text.slice(at)
    if (left[0] === '\x1b' && (left.length > 1 || !complete)) {
      if (left.length === 1) return { keys, rest: left }
      const sequence = /^\x1b(?:\[|O)([0-9;?<]*)([@-~])/.exec(left)
      if (sequence !== null) {
        const [whole, numbers = '', last = ''] = sequence
        // What is held with a key (`1;5A`) makes no difference here.
        const key = sequences[last === '~' ? `${numbers.split(';')[0]}~` : last]
        if (key !== undefined) keys.push(key)
        at += whole.length
        continue
      }
      if (/^\x1b(?:\[|O)[0-9;?<]*$/.test(left) && !complete) return { keys, rest: left }
      keys.push('escape')
      at++
      continue
    }
    const character = String.fromCodePoint(left.codePointAt(0)!)
    const code = character.charCodeAt(0)
    const named = controls[character]
    if (named !== undefined) keys.push(named)
    else if (code < 0x20) keys.push(`ctrl-${String.fromCharCode(code + 0x60)}`)
    else keys.push(character)
    at += character.length
  }
  return { keys, rest: '' }
}
