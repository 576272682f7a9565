import { UsageError } from './io.ts'

type Step = { readonly key: string } | { readonly all: true }

/**
 * The part of kubectl's JSONPath that people use: `{.status.podIP}`, `.spec.ports[0].port`, `{.items[*].metadata.name}`,
 * `['a.b/c']`, and `\.` for a dot inside a key. Braces and the first dot may be left out. Throws UsageError.
 */
export function parseJsonPath(text: string): (object: unknown) => unknown[] {
  const steps = parseSteps(text)
  return (object) => {
    let values = [object]
    for (const step of steps) values = values.flatMap((value) => takeStep(value, step))
    return values
  }
}

/** Values as one text: what is not text as JSON, several separated by blanks. */
export function showValues(values: readonly unknown[]): string {
  return values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(' ')
}

/** A template: text with paths in braces, `{.metadata.name}{"\n"}`. */
export function parseTemplate(text: string): (object: unknown) => string {
  const source = /^\s*\{/.test(text) || text.includes('{') ? text : `{${text}}`
  const parts = [...source.matchAll(/\{([^{}]*)\}|([^{}]+)/g)].map(([, path, literal]) => {
    if (literal !== undefined) return () => literal
    const quoted = /^\s*"((?:[^"\\]|\\.)*)"\s*$/.exec(path ?? '')
    if (quoted !== null) return constant(JSON.parse(`"${quoted[1]}"`) as string)
    const look = parseJsonPath(path ?? '')
    return (object: unknown) => showValues(look(object))
  })
  return (object) => parts.map((part) => part(object)).join('')
}

function constant(text: string): () => string {
  return () => text
}

function parseSteps(text: string): Step[] {
  const path = text
    .trim()
    .replace(/^\{(.*)\}$/, '$1')
    .trim()
    .replace(/^[$@]/, '')
  const steps: Step[] = []
  const token = /\.?\[\s*(?:'([^']*)'|"([^"]*)"|(\*|\d+))\s*\]|\.?((?:\\.|[^.[\]\\])+)/y
  while (token.lastIndex < path.length) {
    const at = token.lastIndex
    const match = token.exec(path)
    if (match === null) throw new UsageError(`cannot read the path "${text}" at "${path.slice(at)}"`)
    const [, single, double, index, word] = match
    if (index === '*' || word === '*') steps.push({ all: true })
    else steps.push({ key: single ?? double ?? index ?? (word ?? '').replaceAll(/\\(.)/g, '$1') })
  }
  return steps
}

function takeStep(value: unknown, step: Step): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  if ('all' in step) return Object.values(value)
  const next = (value as Record<string, unknown>)[step.key]
  return next === undefined || next === null ? [] : [next]
}
