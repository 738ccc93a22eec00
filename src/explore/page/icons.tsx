const shapes = {
  file: 'M4 1.5h5L12.5 5v9.5h-8.5zM9 1.5V5h3.5',
  directory: 'M1.5 3.5h4.5l1.5 2h7v8h-13z',
  symlink: 'M6.5 9.5l3-3M7 4.5l1.5-1.5a2.8 2.8 0 0 1 4 4L11 8.5M9 11.5L7.5 13a2.8 2.8 0 0 1-4-4L5 7.5',
  special: 'M2.5 2.5h11v11h-11zM5.5 5.5h5v5h-5z',
  chevron: 'M5.5 3.5l5 4.5-5 4.5',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9zM10.5 10.5l3.5 3.5',
  theme: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  help: 'M5.8 6a2.3 2.3 0 1 1 3.4 2c-.8.5-1.2.9-1.2 1.8M8 12.4v.2M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13z',
} as const

/** A drawing of lines in the colour of the text around it. */
export function Icon({ name, class: extra = '' }: { readonly name: keyof typeof shapes; readonly class?: string }) {
  return (
    <svg class={`icon ${extra}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path
        d={shapes[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.3"
        stroke-linejoin="round"
        stroke-linecap="round"
      />
    </svg>
  )
}

export function kindIcon(kind: number): keyof typeof shapes {
  return kind === 0 ? 'file' : kind === 1 ? 'directory' : kind === 2 ? 'symlink' : 'special'
}
