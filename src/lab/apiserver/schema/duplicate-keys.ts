/** Paths of the object keys that a JSON text names twice, e.g. `spec.image`; `JSON.parse` keeps the last one silently. The text is valid JSON. */
export function findDuplicateKeys(json: string): string[] {
  const found: string[] = []
  const frames: Frame[] = []
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g
  for (let match = tokens.exec(json); match !== null; match = tokens.exec(json)) {
    readToken(match[0], frames, found)
  }
  return found
}

interface Frame {
  path: string
  /** Keys so far; undefined in an array. */
  keys: Set<string> | undefined
  key: string
  index: number
  expectsKey: boolean
}

function readToken(token: string, frames: Frame[], found: string[]): void {
  const frame = frames.at(-1)
  if (token === '{' || token === '[') frames.push(openFrame(token, frame))
  else if (token === '}' || token === ']') frames.pop()
  else if (frame === undefined || token === ':') return
  else if (token === ',') {
    frame.index++
    frame.expectsKey = frame.keys !== undefined
  } else if (frame.keys !== undefined && frame.expectsKey) readKey(token, frame, found)
}

function openFrame(token: string, parent: Frame | undefined): Frame {
  const isMap = token === '{'
  return { path: pathOf(parent), keys: isMap ? new Set() : undefined, key: '', index: 0, expectsKey: isMap }
}

function readKey(token: string, frame: Frame, found: string[]): void {
  frame.key = JSON.parse(token) as string
  frame.expectsKey = false
  if (frame.keys?.has(frame.key) === true) found.push(pathOf(frame))
  frame.keys?.add(frame.key)
}

function pathOf(frame: Frame | undefined): string {
  if (frame === undefined) return ''
  if (frame.keys === undefined) return `${frame.path}[${frame.index}]`
  return frame.path === '' ? frame.key : `${frame.path}.${frame.key}`
}
