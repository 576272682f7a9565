import { at } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { badRequest } from '../status.ts'

/** Whether an object's fields match. */
export type FieldSelector = (object: ApiObject) => boolean

/**
 * Parses `path=value`, `path==value`, `path!=value`, joined by commas. Any dotted path is accepted; an absent field
 * equals the empty text. Throws 400 on anything else.
 */
export function parseFieldSelector(text: string): FieldSelector {
  const terms = text.split(/(?<!\\),/).filter((term) => term !== '')
  const requirements = terms.map(parseTerm)
  return (object) => requirements.every((requirement) => requirement(object))
}

function parseTerm(term: string): FieldSelector {
  const [, path, operator, escaped] = /^([^=!]+?)(==|=|!=)(.*)$/.exec(term) ?? []
  if (path === undefined || escaped === undefined) {
    throw badRequest(`invalid field selector: "${term}"; can't understand it, want path=value or path!=value`)
  }
  const keys = path.trim().split('.')
  const wanted = escaped.replaceAll(/\\([\\,=])/g, '$1')
  return (object) => (textOf(at(object, ...keys)) === wanted) === (operator !== '!=')
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}
