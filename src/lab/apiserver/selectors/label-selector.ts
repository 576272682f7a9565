import { badRequest } from '../status.ts'

type Labels = Readonly<Record<string, string>>
type Requirement = (labels: Labels) => boolean

/** Whether an object's labels match. */
export type LabelSelector = (labels: Labels) => boolean

/**
 * Parses the text form: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (x,y)`, `a notin (x,y)`, `a>1`, `a<1`, joined by commas.
 * Throws 400 on anything else.
 */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = splitTerms(text).map((term) => parseTerm(term, text))
  return (labels) => requirements.every((requirement) => requirement(labels))
}

/** Commas inside parentheses do not separate terms. */
function splitTerms(text: string): string[] {
  const terms = text.match(/(?:\([^)]*\)|[^,(])+/g) ?? []
  return terms.map((term) => term.trim()).filter((term) => term !== '')
}

const key = String.raw`((?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?)`
const value = String.raw`((?:[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?)?)`
const equality = new RegExp(String.raw`^${key}\s*(=|==|!=)\s*${value}$`)
const membership = new RegExp(String.raw`^${key}\s+(in|notin)\s*\(([^()]*)\)$`)
const existence = new RegExp(String.raw`^(!?)\s*${key}$`)
const comparison = new RegExp(String.raw`^${key}\s*([<>])\s*(-?\d+)$`)

function parseTerm(term: string, whole: string): Requirement {
  const parsed = parseEquality(term) ?? parseMembership(term) ?? parseExistence(term) ?? parseComparison(term)
  if (parsed === undefined) {
    throw badRequest(`unable to parse requirement: found '${term}' in label selector "${whole}"`)
  }
  return parsed
}

function parseEquality(term: string): Requirement | undefined {
  const [, name = '', operator, wanted] = equality.exec(term) ?? []
  if (operator === undefined) return undefined
  return operator === '!=' ? (labels) => labels[name] !== wanted : (labels) => labels[name] === wanted
}

function parseMembership(term: string): Requirement | undefined {
  const [, name = '', operator, list = ''] = membership.exec(term) ?? []
  if (operator === undefined) return undefined
  const wanted = new Set(list.split(',').map((item) => item.trim()))
  return operator === 'in'
    ? (labels) => labels[name] !== undefined && wanted.has(labels[name])
    : (labels) => labels[name] === undefined || !wanted.has(labels[name])
}

function parseExistence(term: string): Requirement | undefined {
  const [, not, name] = existence.exec(term) ?? []
  if (name === undefined) return undefined
  return (labels) => Object.hasOwn(labels, name) === (not === '')
}

function parseComparison(term: string): Requirement | undefined {
  const [, name = '', operator, limit] = comparison.exec(term) ?? []
  if (operator === undefined) return undefined
  return (labels) => {
    const number = Number(labels[name] ?? Number.NaN)
    return operator === '<' ? number < Number(limit) : number > Number(limit)
  }
}
