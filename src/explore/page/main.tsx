import { render } from 'preact'
import { unpacked } from '../packing.ts'
import type { Explored } from '../table.ts'
import { App } from './app.tsx'

/** What the page was written with: packed, deflated, in base64. */
async function written(): Promise<Explored> {
  const text = atob(document.getElementById('explored')!.textContent!.trim())
  const bytes = new Uint8Array(text.length)
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at)
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
  return unpacked(new Uint8Array(await new Response(plain).arrayBuffer()))
}

const place = document.getElementById('app')!
written().then(
  (explored) => {
    place.textContent = ''
    render(<App explored={explored} />, place)
    document.documentElement.dataset.ready = ''
    performance.mark('explorer-ready')
  },
  (error: unknown) => {
    place.textContent = `This page cannot be read: ${String(error)}`
  },
)
