import { useEffect, useRef } from 'preact/hooks'

const keys: readonly (readonly [string, string])[] = [
  ['/', 'search names, or paths with a slash in them'],
  ['?', 'this help'],
  ['1 2 3', 'files, waste, difference'],
  ['L  M  F', 'to the layers, the map, the files'],
  ['T', 'light or dark'],
  ['↑ ↓ ← →', 'move; open and close directories'],
  ['Shift ↑ ↓', 'in the layers: several of them'],
  ['Enter', 'details of a file; in the map: into a directory'],
  ['Backspace', 'in the map: out of a directory'],
  ['Esc', 'clear the search, the layers, the details'],
]

/** What the keys do. */
export function Help({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-label="Keys"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <h2>Keys</h2>
      <dl>
        {keys.map(([key, text]) => (
          <div key={key}>
            <dt>
              {key.split(/ +/).map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <button type="button" class="plain" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  )
}
