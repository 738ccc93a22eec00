import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { explore, openStore } from 'plyfs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manyFiles } from '../explore/many-files.ts'
import { sample, script, shownOdd, updated } from '../explore/sample.ts'
import { installed } from './installed.ts'
import { TmuxScreen } from './tmux-screen.ts'
import { workspace } from './workspace.ts'

/** Screenshots for a person to look at go into the directory that PLYFS_SCREENSHOTS names; some of them are in docs/. */
const screenshots = process.env.PLYFS_SCREENSHOTS
const found = (name: string) => spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()

/** A test that needs a program. What is missing is said, and never happens on CI. */
function testWith(program: string): typeof test {
  if (found(program) !== '') return test
  if (process.env.CI) throw new Error(`the explorer cannot be tested on CI: no ${program}`)
  console.log(`skipped: the explorer with ${program}: it is not installed`)
  return test.skip as unknown as typeof test
}
const browserTest = testWith('chromium')
const terminalTest = testWith('tmux')

const work = workspace()
let ply: string
let one: string
let two: string
let browser: Browser | undefined

function ran(...args: string[]): string {
  return execFileSync(process.execPath, [ply, ...args, '--root', join(work.path, 'store')], {
    encoding: 'utf8',
    cwd: work.path,
  })
}

beforeAll(async () => {
  ply = installed(join(work.path, 'package'))
  one = 'shop/app:1.0'
  two = 'shop/app:1.1'
  await using store = await openStore(join(work.path, 'store'))
  await store.write(sample(), one)
  await store.write(updated(), two)
  ran('explore', one, '-q', '-o', 'one.html')
  ran('explore', one, two, '-q', '-o', 'two.html')
  if (found('chromium') === '') return
  // As root, and where containers forbid user namespaces, chromium starts only without its own sandbox.
  browser = await chromium.launch({ executablePath: found('chromium'), args: ['--no-sandbox'] })
})

afterAll(async () => {
  await browser?.close()
  await work[Symbol.asyncDispose]()
})

interface View {
  readonly width?: number
  readonly height?: number
  readonly colours?: 'light' | 'dark'
}

/** A page in a context of its own, in which nothing is complained of and nothing asked of a network. */
async function opened(
  file: string,
  { width = 1280, height = 800, colours = 'light' }: View = {},
): Promise<{ readonly page: Page; done(): Promise<void> }> {
  const context: BrowserContext = await browser!.newContext({
    viewport: { width, height },
    colorScheme: colours,
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const wrong: string[] = []
  const address = file.startsWith('http') ? file : pathToFileURL(join(work.path, file)).href
  page.on('console', (message) => wrong.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => wrong.push(error.message))
  page.on('request', (request) => {
    if (request.url() !== address && !request.url().startsWith('data:')) wrong.push(`asked for ${request.url()}`)
  })
  await page.goto(address)
  await page.waitForSelector('html[data-ready]')
  return {
    page,
    async done() {
      await expect.poll(() => page.evaluate('window.hit')).toBeUndefined()
      await context.close()
      expect(wrong).toEqual([])
    },
  }
}

async function shot(page: Page, name: string): Promise<void> {
  if (screenshots === undefined) return
  mkdirSync(screenshots, { recursive: true })
  await page.screenshot({ path: join(screenshots, `explore-${name}.png`) })
}

const rowsOf = (page: Page) => page.locator('#tree [role=treeitem] .name').allInnerTexts()
const row = (page: Page, name: string) =>
  page.locator('#tree [role=treeitem]', { has: page.getByText(name, { exact: true }) })

describe('the page', () => {
  browserTest('shows layers with their instructions, the map and the tree in the colours of the layers', async () => {
    const { page, done } = await opened('one.html')
    expect(await page.locator('.layer .instruction').allInnerTexts()).toEqual([
      'ADD file:rootfs.tar in /',
      'RUN npm ci --omit=dev && npm run build',
      'RUN rm -rf /var/cache && chmod 750 /bin/busybox',
    ])
    expect(await rowsOf(page)).toEqual(['bin', 'dev', 'etc', 'odd', 'srv', 'usr', 'var'])
    const colour = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((element) => getComputedStyle(element).backgroundColor)
    const [own, base, chunk] = [
      await colour('.layer[data-layer="1"] .swatch'),
      await colour('.layer[data-layer="0"] .swatch'),
      await row(page, 'srv')
        .locator('.swatch')
        .evaluate((element) => getComputedStyle(element).backgroundColor),
    ]
    expect(own).not.toBe(base)
    expect([own, base]).not.toContain(chunk)
    await expect.poll(() => page.locator('.area').count()).toBeGreaterThan(50)
    await shot(page, 'light')
    await done()
  })

  browserTest('renders hostile names as text', async () => {
    const { page, done } = await opened('one.html')
    await row(page, 'odd').click()
    expect((await rowsOf(page)).join('\n')).toContain(shownOdd)
    await page.fill('#search', script.slice(script.lastIndexOf('/') + 1))
    expect((await rowsOf(page)).at(-1)).toBe(script.slice(script.lastIndexOf('/') + 1))
    expect(readFileSync(join(work.path, 'one.html'), 'latin1')).not.toContain('window.hit')
    await done()
  })

  browserTest('searches while it is typed, by names and by paths, and says how much it found', async () => {
    const { page, done } = await opened('one.html')
    await page.keyboard.press('/')
    await page.keyboard.type('SERVER')
    expect(await rowsOf(page)).toEqual(['srv', 'app', 'copy-of-server.js', 'server.js'])
    await expect.poll(() => page.locator('[role=status]').innerText()).toBe('2 names found')
    await page.fill('#search', 'lib/lib-00')
    expect(await rowsOf(page)).toHaveLength(12)
    await page.fill('#search', 'nowhere')
    await expect.poll(() => page.getByText('Nothing here fits').isVisible()).toBe(true)
    await page.keyboard.press('Escape')
    await expect.poll(() => page.inputValue('#search')).toBe('')
    expect(await rowsOf(page)).toHaveLength(7)
    await done()
  })

  browserTest('filters by kind, by what became of files, and by waste', async () => {
    const { page, done } = await opened('one.html')
    await page.selectOption('#kinds', { label: 'Symlinks' })
    expect(await rowsOf(page)).toEqual(['bin'])
    await page.selectOption('#kinds', { label: 'All kinds' })
    await page.click('[data-change=added]')
    await row(page, 'etc').click()
    expect(await rowsOf(page)).toContain('motd')
    expect(await rowsOf(page)).not.toContain('passwd')
    await page.click('[data-change=removed]')
    await row(page, 'var').click()
    expect(await rowsOf(page)).toContain('cache')
    await page.click('[data-change=added]')
    await page.click('[data-change=waste]')
    const left = await rowsOf(page)
    expect(left).toContain('copy-of-server.js')
    expect(left).toContain('package-000')
    expect(left).not.toContain('passwd')
    await done()
  })

  browserTest('shows what one layer did, and what several did', async () => {
    const { page, done } = await opened('one.html')
    await page.click('.layer[data-layer="2"]')
    await expect.poll(() => page.locator('.layer[aria-selected=true]').count()).toBe(1)
    // So little is open at once.
    expect((await rowsOf(page)).slice(0, 7)).toEqual([
      'bin',
      'busybox',
      'srv',
      'app',
      'copy-of-server.js',
      'var',
      'cache',
    ])
    expect(await row(page, 'busybox').locator('.change').innerText()).toBe('changed')
    expect(await row(page, 'cache').locator('.change').innerText()).toBe('removed')
    await row(page, 'srv').click()
    expect(await rowsOf(page)).not.toContain('copy-of-server.js')
    await shot(page, 'layer')
    await page.click('.layer[data-layer="1"]', { modifiers: ['Shift'] })
    await expect.poll(() => page.locator('.layer[aria-selected=true]').count()).toBe(2)
    expect(await rowsOf(page)).toContain('etc')
    await page.click('#all-layers')
    await expect.poll(() => page.locator('.layer[aria-selected=true]').count()).toBe(0)
    await done()
  })

  browserTest('zooms the map into directories and out of them', async () => {
    const { page, done } = await opened('one.html')
    await page.getByRole('button', { name: /^\/usr, / }).click({ position: { x: 20, y: 6 } })
    await expect.poll(() => page.locator('.crumbs [aria-current]').innerText()).toBe('usr')
    await expect.poll(() => page.locator('.area[title^="/srv"]').count()).toBe(0)
    await page.getByRole('button', { name: /^\/usr\/lib, / }).click({ position: { x: 20, y: 6 } })
    await expect.poll(() => page.locator('.crumbs').innerText()).toContain('lib')
    await page.click('#zoom-out')
    await expect.poll(() => page.locator('.crumbs [aria-current]').innerText()).toBe('usr')
    await page.click('.crumbs li:first-child button')
    await expect.poll(() => page.locator('.area[title^="/srv"]').count()).toBeGreaterThan(0)
    await done()
  })

  browserTest('tells the story of a file', async () => {
    const { page, done } = await opened('one.html', { width: 1440, height: 900 })
    await row(page, 'bin').click()
    await row(page, 'busybox').click()
    const told = await page.locator('#details').innerText()
    expect(told).toContain('-rwxr-x--- 0750')
    await expect.poll(() => page.locator('.story li').count()).toBe(2)
    expect(told).toContain('Layer 2 other attributes')
    expect(told).toContain('mode')
    await page.fill('#search', 'copy-of')
    await row(page, 'copy-of-server.js').click()
    await expect.poll(() => page.locator('.vain').innerText()).toContain('/srv/app/server.js')
    await shot(page, 'file')
    await done()
  })

  browserTest('tells what is held in vain', async () => {
    const { page, done } = await opened('one.html')
    await page.click('[data-view=waste]')
    const first = page.locator('.wasted-files [role=option]').first()
    expect(await first.innerText()).toContain('busybox')
    await expect.poll(() => page.locator('.causes button').count()).toBe(5)
    await page.getByRole('button', { name: /Removed by a layer above/ }).click()
    await expect.poll(() => page.locator('.wasted-files [role=option]').first().innerText()).toContain('package-')
    await shot(page, 'waste')
    await done()
  })

  browserTest('compares two images: paths, causes, layers, settings', async () => {
    const { page, done } = await opened('two.html')
    await expect.poll(() => page.locator('.figure .value').allInnerTexts()).toEqual(['7', '8', '2', 'content'])
    const paths = page.locator('.paths [role=treeitem]')
    expect((await paths.allInnerTexts()).join('|').replaceAll('\n', ' ')).toMatch(/motd content, mtime|motd content/)
    expect(
      await page
        .locator('.paths')
        .getByRole('treeitem', { name: /passwd, changed: mode/ })
        .isVisible(),
    ).toBe(true)
    await expect.poll(() => page.locator('.pairs tbody tr').count()).toBe(4)
    await expect.poll(() => page.locator('.statements').innerText()).toContain('config.Env.DEBUG')
    await page.getByRole('button', { name: 'removed', exact: true }).click()
    expect((await paths.allInnerTexts()).join()).not.toContain('lib-000')
    await shot(page, 'difference')
    await page.locator('.paths').getByRole('treeitem', { name: /motd/ }).click()
    await expect.poll(() => page.locator('.story li').count()).toBe(3)
    await done()
  })

  browserTest('is used by keys alone', async () => {
    const { page, done } = await opened('two.html')
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key)
    }
    const focused = () =>
      page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
      )
    await press('1', 'f')
    await expect.poll(() => focused()).toMatch(/^bin, directory/)
    await press('ArrowRight', 'ArrowRight', 'ArrowDown')
    await expect.poll(() => focused()).toMatch(/^busybox/)
    await press('Enter')
    await expect.poll(() => page.locator('#details h2').innerText()).toBe('busybox')
    await press('Escape')
    await expect.poll(() => page.locator('#details').count()).toBe(0)
    await press('ArrowLeft', 'ArrowLeft', 'End')
    await expect.poll(() => focused()).toMatch(/^var/)
    await press('l', 'ArrowDown')
    await expect.poll(() => page.locator('.layer[aria-selected=true]').getAttribute('data-layer')).toBe('0')
    await press('ArrowDown', 'Shift+ArrowDown')
    await expect.poll(() => page.locator('.layer[aria-selected=true]').count()).toBe(2)
    await press('Escape')
    await expect.poll(() => page.locator('.layer[aria-selected=true]').count()).toBe(0)
    await press('m')
    const before = await focused()
    await press('ArrowRight')
    await expect.poll(() => focused()).not.toBe(before)
    await press('ArrowLeft', 'Enter')
    await expect.poll(() => page.locator('.crumbs li').count()).toBe(2)
    await press('Backspace')
    await expect.poll(() => page.locator('.crumbs li').count()).toBe(1)
    await press('?')
    await page.locator('dialog').waitFor()
    await press('Escape')
    await expect.poll(() => page.locator('dialog').count()).toBe(0)
    await press('2')
    await expect.poll(() => page.locator('.waste').isVisible()).toBe(true)
    await press('3')
    await expect.poll(() => page.locator('.difference').isVisible()).toBe(true)
    await press('/')
    await page.keyboard.type('motd')
    await press('ArrowDown')
    await expect.poll(() => focused()).toMatch(/^etc/)
    // Every stop that Tab makes can be seen.
    await press('Escape', '1')
    for (let stop = 0; stop < 20; stop++) {
      await press('Tab')
      expect(
        await page.evaluate(
          () =>
            document.activeElement === document.body ||
            getComputedStyle(document.activeElement!).outlineStyle !== 'none',
        ),
      ).toBe(true)
    }
    await done()
  })

  browserTest('can be read at a width of 375 pixels', async () => {
    const { page, done } = await opened('two.html', { width: 375, height: 720 })
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth)
    await expect.poll(() => wide()).toBe(375)
    await shot(page, 'phone-difference')
    await page.click('[data-view=files]')
    await expect.poll(() => page.locator('#tree').isVisible()).toBe(true)
    await expect.poll(() => page.locator('.layers').isVisible()).toBe(false)
    await shot(page, 'phone')
    await page.click('[data-pane=layers]')
    await expect.poll(() => page.locator('.layers').isVisible()).toBe(true)
    await shot(page, 'phone-layers')
    await page.click('[data-pane=map]')
    await expect.poll(() => page.locator('.areas').isVisible()).toBe(true)
    await expect.poll(() => page.locator('.area').count()).toBeGreaterThan(10)
    await shot(page, 'phone-map')
    await page.click('[data-view=waste]')
    await expect.poll(() => wide()).toBe(375)
    await shot(page, 'phone-waste')
    await page.locator('.wasted-files [role=option]').first().click()
    await expect.poll(() => page.locator('#details').isVisible()).toBe(true)
    await expect.poll(() => wide()).toBe(375)
    await shot(page, 'phone-file')
    await done()
  })

  browserTest('is dark where the system is, and where it is told to be', async () => {
    const { page, done } = await opened('one.html', { colours: 'dark' })
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const dark = await ground()
    expect(dark).toBe('rgb(18, 22, 28)')
    await shot(page, 'dark')
    await page.click('#theme')
    await expect.poll(() => ground()).toBe('rgb(255, 255, 255)')
    await page.emulateMedia({ colorScheme: 'light' })
    await page.keyboard.press('t')
    await expect.poll(() => ground()).toBe(dark)
    await done()
  })

  browserTest('text stands out from its ground, light and dark', async () => {
    for (const colours of ['light', 'dark'] as const) {
      const { page, done } = await opened('two.html', { colours })
      expect(await lowContrasts(page)).toEqual([])
      await page.click('[data-view=files]')
      await page.click('.layer[data-layer="2"]')
      expect(await lowContrasts(page)).toEqual([])
      await page.click('[data-view=waste]')
      expect(await lowContrasts(page)).toEqual([])
      await done()
    }
  })

  browserTest('of 200,000 files is there at once, and answers while it is typed', async () => {
    const built: typeof import('plyfs') = await import(pathToFileURL(join(work.path, 'package/dist/index.js')).href)
    const page200k = await built.explorerPage(await explore({ name: 'many', tree: manyFiles(200_000) }, undefined))
    writeFileSync(join(work.path, 'many.html'), page200k)
    expect(statSync(join(work.path, 'many.html')).size).toBeLessThan(4e6)
    const { page, done } = await opened('many.html')
    // The bounds are those of a busy machine: scripts/explorer-speed.mjs has the ones that are promised.
    const paint = await page.evaluate(() => performance.getEntriesByName('explorer-ready')[0]!.startTime)
    expect(paint).toBeLessThan(6000)
    for (const text of ['f', 'file-1', 'file-199999', 's1/file-12'])
      expect(await searchTime(page, text)).toBeLessThan(500)
    await done()
  })
})

/** How long the page takes from a key to the answer being drawn. */
async function searchTime(page: Page, text: string): Promise<number> {
  return page.evaluate(async (typed) => {
    const input = document.querySelector<HTMLInputElement>('#search')!
    const begun = performance.now()
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!.set!.call(input, typed)
    input.dispatchEvent(new InputEvent('input', { bubbles: true }))
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)))
    return performance.now() - begun
  }, text)
}

/** Texts of which the contrast with what is behind them is below 4.5. */
async function lowContrasts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!
    const rgba = (colour: string): [number, number, number, number] => {
      canvas.clearRect(0, 0, 1, 1)
      canvas.fillStyle = colour
      canvas.fillRect(0, 0, 1, 1)
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
      return [r!, g!, b!, a! / 255]
    }
    const light = ([r, g, b]: readonly number[]) => {
      const [x, y, z] = [r!, g!, b!].map((value) =>
        value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
      )
      return 0.2126 * x! + 0.7152 * y! + 0.0722 * z!
    }
    const low = new Set<string>()
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
      const element = node.parentElement!
      if (
        node.textContent!.trim() === '' ||
        element.closest('script, style, noscript, .hidden, option, :disabled') !== null
      )
        continue
      if (element.getClientRects().length === 0) continue
      let ground: [number, number, number, number] = [255, 255, 255, 0]
      let faded = 1
      for (let at: HTMLElement | null = element; at !== null; at = at.parentElement) {
        const style = getComputedStyle(at)
        faded *= Number(style.opacity)
        const own = rgba(style.backgroundColor)
        if (own[3] > 0.99) {
          ground = own
          break
        }
      }
      const text = rgba(getComputedStyle(element).color).map((value, at) =>
        at === 3 ? value : value * faded + ground[at as 0 | 1 | 2] * (1 - faded),
      )
      const [a, b] = [light(text), light(ground)].sort((x, y) => y - x) as [number, number]
      const contrast = (a + 0.05) / (b + 0.05)
      if (contrast < 4.5) low.add(`${element.className || element.tagName}: ${contrast.toFixed(2)}`)
    }
    return [...low]
  })
}

describe('ply explore', () => {
  test('writes the page where it is told, and to stdout', () => {
    expect(ran('explore', one, '-o', 'told.html').trim()).toBe('told.html')
    expect(ran('explore', one, '-q', '-o', '-')).toBe(readFileSync(join(work.path, 'told.html'), 'utf8'))
    expect(JSON.parse(ran('explore', one, '-q', '-o', 'told.html', '--json'))).toEqual({
      output: 'told.html',
      size: statSync(join(work.path, 'told.html')).size,
    })
  })

  browserTest('serves it until it is interrupted', async () => {
    const server = spawn(
      process.execPath,
      [ply, 'explore', one, '--serve', '--progress', 'none', '--root', join(work.path, 'store')],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    )
    const address = await new Promise<string>((resolve) =>
      server.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())),
    )
    const { page, done } = await opened(address)
    await expect.poll(() => page.title()).toBe(one)
    await done()
    const ended = new Promise((resolve) => server.once('exit', resolve))
    server.kill('SIGINT')
    expect(await ended).toBe(0)
  })

  test('takes an image as it is at one of its layers, and what has no layers', () => {
    for (const tree of [`${one}@1`, `rootfs:${join(work.path, 'package/bin')}`]) {
      ran('explore', tree, '-q', '-o', 'other.html')
      expect(readFileSync(join(work.path, 'other.html'), 'utf8')).toContain(`<title>${tree}</title>`)
    }
    expect(() => ran('explore', `${one}@9`, '-q', '-o', 'other.html')).toThrow('there is no layer 9')
  })

  test('is refused without a terminal', () => {
    const { status, stderr } = spawnSync(process.execPath, [ply, 'explore', '--tui', one], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([2, expect.stringContaining('needs a terminal')])
  })
})

describe('on a terminal', () => {
  let number = 0
  const shown = (columns: number, rows: number, environment: Readonly<Record<string, string>> = {}) =>
    new TmuxScreen(
      `plyfs-${process.pid}-${number++}`,
      `'${process.execPath}' '${ply}' explore --tui '${one}' -q --root '${join(work.path, 'store')}'`,
      {
        columns,
        rows,
        environment,
      },
    )

  for (const [columns, rows] of [
    [80, 24],
    [200, 50],
  ] as const) {
    terminalTest(`${columns}x${rows}: layers, the tree, filters and details, by keys alone`, async () => {
      using screen = shown(columns, rows)
      const first = await screen.until(/q quit/)
      expect(first).toMatch(/▌Layers/)
      expect(first).toMatch(/▸■ 2 +520 kB +RUN rm -rf/)
      expect(first).toMatch(/efficiency/)
      screen.press('Home')
      await screen.until(/Files at layer 0/)
      screen.press('End', 'Tab')
      await screen.until(/▌Files at layer 2/)
      screen.press('Space')
      await screen.until(/~.*busybox/)
      screen.press('Down', 'Down')
      await screen.until(/■ 2 attributes: mode/)
      screen.press('C-u')
      await screen.until((text) => !text.includes('dev/'))
      screen.press('C-u', '/')
      screen.type('server')
      await screen.until((text) => text.includes('copy-of-server.js') && text.includes('2 found'))
      screen.press('Escape')
      await screen.until(/q quit/)
      screen.press('C-f')
      screen.type('package-00')
      await screen.until(/-.*package-00/)
      screen.press('Enter', '?')
      await screen.until(/any key goes back/)
      screen.press('x', 'q')
      await screen.until(/ended 0\n-?icanon/)
      expect(screen.read()).toMatch(/^icanon/m)
      expect(screen.read()).not.toContain('Layers')
    })
  }

  terminalTest('follows the size of the terminal', async () => {
    using screen = shown(200, 50)
    await screen.until(/q quit/)
    screen.resize(80, 24)
    await screen.until((text) => /q quit/.test(text.split('\n')[23] ?? '') && text.split('\n')[0]!.length <= 80)
    screen.resize(45, 12)
    await screen.until((text) => !text.includes('│') && text.includes('▌Layers'))
    screen.press('Tab')
    await screen.until(/▌Files/)
    screen.resize(120, 40)
    await screen.until((text) => text.includes('▌Files') && text.includes(' Layers'))
  })

  terminalTest('uses sixteen colours, and none with NO_COLOR', async () => {
    using coloured = shown(80, 24)
    await coloured.until(/q quit/)
    expect(coloured.read({ escapes: true })).toMatch(/\x1b\[[0-9;]*3[0-7]m/)
    expect(coloured.read({ escapes: true })).not.toMatch(/\x1b\[[0-9;]*[34]8;/)
    using plain = shown(80, 24, { NO_COLOR: '1' })
    await plain.until(/q quit/)
    expect(plain.read({ escapes: true })).not.toMatch(/\x1b\[(?:[0-9;]*;)?(?:3[0-7]|9[0-7])m/)
  })

  terminalTest('gives the terminal back when it is killed', async () => {
    using screen = shown(80, 24)
    await screen.until(/q quit/)
    const own = spawnSync('pgrep', ['-P', String(screen.pid)], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n')[0]!
    process.kill(Number(own), 'SIGTERM')
    expect(await screen.until(/ended 143\n-?icanon/)).toMatch(/^icanon/m)
  })

  terminalTest('can be stopped, and goes on where it was', async () => {
    using screen = new TmuxScreen(
      `plyfs-${process.pid}-${number++}`,
      `set -m; '${process.execPath}' '${ply}' explore --tui '${one}' -q --root '${join(work.path, 'store')}'; echo "stopped $?"; stty -a | grep -o -- '-\\?icanon'; read -r; fg >/dev/null`,
      { columns: 80, rows: 24 },
    )
    await screen.until(/q quit/)
    screen.press('Tab', 'Space')
    await screen.until(/busybox/)
    screen.press('C-z')
    expect(await screen.until(/stopped 148\n-?icanon/)).toMatch(/^icanon/m)
    screen.press('Enter')
    await screen.until((text) => text.includes('q quit') && text.includes('busybox'))
    screen.press('q')
    await screen.until(/ended 0/)
  })
})
