import { CommentedJsonError, parseCommentedJson } from '../../kube/resources/commented-json.ts'
import { configTextOf, findConfigJson } from '../definition-config.ts'
import type { Rule } from '../rule.ts'

export const configField = ['spec', 'config']

/** spec.config is not JSON. */
export const configSyntax: Rule = (subject) => {
  const text = configTextOf(subject)
  if (text === undefined) return []
  try {
    parseCommentedJson(text)
    return []
  } catch (error) {
    if (!(error instanceof CommentedJsonError)) throw error
    const { message, fix = 'Correct the JSON text.', position } = error
    return [{ rule: 'config-syntax', severity: 'error', message, fix, field: configField, position }]
  }
}

/** spec.config has comments: unlike in a pod's annotation, no implementation accepts them there. */
export const configComments: Rule = (subject) =>
  (findConfigJson(subject)?.comments ?? []).map((comment) => ({
    rule: 'config-comment',
    severity: 'error',
    message: `a "${comment.marker}" comment in spec.config: JSON has no comments`,
    fix: 'Remove it, or write it outside the quotes as a comment of YAML.',
    field: configField,
    position: comment,
  }))
