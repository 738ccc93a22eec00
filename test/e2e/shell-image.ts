import { execFileSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import type { Given } from '../build/table/case.ts'

const programs = 'sh cat id ls touch sleep env mkdir rmdir rm chmod chown ln stat sed cut'

/** An image of this machine's own shell and a few programs, and of what they need. */
export function shellImage(): Given {
  const files: Record<string, { readonly content: Uint8Array; readonly mode: number }> = {}
  const add = (path: string, at = path) => {
    files[at.slice(1)] = { content: readFileSync(realpathSync(path)), mode: 0o755 }
  }
  for (const program of programs.split(' ')) {
    const path = execFileSync('sh', ['-c', `command -v ${program}`])
      .toString()
      .trim()
    add(path, `/bin/${program}`)
    for (const [library] of execFileSync('ldd', [path])
      .toString()
      .matchAll(/\/[^ ]*/g))
      add(library)
  }
  return {
    dockerfile: 'FROM scratch\nCOPY . /\nWORKDIR /w\nWORKDIR /\n',
    context: {
      ...files,
      'etc/passwd': 'root:x:0:0::/root:/bin/sh\nweb:x:33:33::/www:/bin/sh\n',
      'etc/group': 'root:x:0:\nweb:x:33:\nmore:x:50:web\n',
    },
  }
}
