import { isObject } from '../json.ts'

type Step = (values: unknown[]) => unknown[]

/** Evaluates a path; all values that it reaches, in order. */
export type JsonPath = (root: unknown) => unknown[]

/**
 * Parses the JSONPath subset of printer columns: `.a.b`, `['a.b']`, `.a\.b`, `[0]`, `[-1]`, `[*]`, `..a` is not there,
 * `[?(@.type=="Ready")]`. A path that cannot be read reaches nothing.
 */
export function parseJsonPath(text: string): JsonPath {
  const steps: Step[] = []
  let rest = text
    .trim()
    .replace(/^\{(.*)\}$/, '$1')
    .replace(/^\$/, '')
  while (rest !== '') {
    const found = readStep(rest)
    if (found === undefined) return () => []
    steps.push(found.step)
    rest = rest.slice(found.length)
  }
  return (root) => steps.reduce((values, step) => step(values), [root] as unknown[])
}

function readStep(text: string): { step: Step; length: number } | undefined {
  const member = /^\.?((?:\\.|[^.[\]\\])+)/.exec(text)
  if (member?.[1] !== undefined && !text.startsWith('[')) {
    const step = memberStep(member[1].replaceAll(/\\(.)/g, '$1'))
    return { step, length: member[0].length }
  }
  const filter = /^\[\?\(\s*@((?:\.(?:\\.|[^.=!<>\s\\])+)+)\s*==\s*(?:"([^"]*)"|'([^']*)'|([^\s)]+))\s*\)\]/.exec(text)
  if (filter !== null) {
    return { step: filterStep(filter[1] ?? '', filter[2] ?? filter[3] ?? filter[4] ?? ''), length: filter[0].length }
  }
  const bracket = /^\[(?:'([^']*)'|"([^"]*)"|(-?\d+)|(\*))\]/.exec(text)
  if (bracket === null) return undefined
  return { step: bracketStep(bracket), length: bracket[0].length }
}

function memberStep(name: string): Step {
  if (name === '*') return allItems
  return (values) => values.flatMap((value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []))
}

function bracketStep([, single, double, index]: RegExpExecArray): Step {
  const name = single ?? double
  if (name !== undefined) return memberStep(name)
  if (index === undefined) return allItems
  return (values) =>
    values.flatMap((value) => {
      const item = Array.isArray(value) ? value.at(Number(index)) : undefined
      return item === undefined ? [] : [item]
    })
}

function filterStep(path: string, wanted: string): Step {
  const inner = parseJsonPath(path)
  return (values) => allItems(values).filter((item) => inner(item).some((value) => String(value) === wanted))
}

function allItems(values: unknown[]): unknown[] {
  return values.flatMap((value) => (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []))
}
