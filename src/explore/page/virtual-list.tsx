import type { ComponentChildren, ComponentProps, RefObject } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

interface VirtualListProps {
  readonly count: number
  /** Pixels, of every row. */
  readonly rowHeight: number
  /** The row that has the focus: it is drawn wherever it is, so that the focus is not lost. */
  readonly focused: number | undefined
  readonly row: (index: number) => ComponentChildren
  readonly list?: RefObject<HTMLDivElement | null>
  readonly attributes: ComponentProps<'div'>
}

/** Rows of one height, of which only those are drawn that can be seen. Each row places itself at `index * rowHeight`. */
export function VirtualList({ count, rowHeight, focused, row, list, attributes }: VirtualListProps) {
  const own = useRef<HTMLDivElement>(null)
  const place = list ?? own
  const [{ top, height }, setView] = useState({ top: 0, height: 600 })
  useLayoutEffect(() => {
    const element = place.current!
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight })
    const watch = new ResizeObserver(look)
    watch.observe(element)
    look()
    return () => watch.disconnect()
  }, [])
  const spare = 6
  const first = Math.max(0, Math.floor(top / rowHeight) - spare)
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + spare)
  const rows: ComponentChildren[] = []
  if (focused !== undefined && focused < first) rows.push(row(focused))
  for (let index = first; index < last; index++) rows.push(row(index))
  if (focused !== undefined && focused >= last && focused < count) rows.push(row(focused))
  return (
    <div
      {...attributes}
      ref={place}
      onScroll={() => setView({ top: place.current!.scrollTop, height: place.current!.clientHeight })}
    >
      <div class="tall" role="presentation" style={{ height: `${count * rowHeight}px` }}>
        {rows}
      </div>
    </div>
  )
}

/** Scrolls so that a row can be seen. */
export function reveal(element: HTMLElement | null, index: number, rowHeight: number): void {
  if (element === null) return
  const top = index * rowHeight
  if (top < element.scrollTop) element.scrollTop = top
  else if (top + rowHeight > element.scrollTop + element.clientHeight)
    element.scrollTop = top + rowHeight - element.clientHeight
}
