import { NetworkAnnotationError, parseNetworks } from '../../kube/resources/network-selection.ts'
import type { Finding } from '../finding.ts'
import { findNetworksJson, networksTextsOf } from '../pod-selections.ts'
import type { Rule } from '../rule.ts'

/** An annotation that the agent cannot read, or whose elements contradict one another. */
export const podSyntax: Rule = (subject, context) =>
  networksTextsOf(subject, context).flatMap(({ text, namespace, defaultInterface, field }): Finding[] => {
    try {
      parseNetworks(text, namespace, { defaultInterface })
      return []
    } catch (error) {
      if (!(error instanceof NetworkAnnotationError)) throw error
      const { message, fix, position } = error
      return [{ rule: 'annotation', severity: 'error', message, fix, field, position }]
    }
  })

/** Comments, which only our agent accepts. */
export const podComments: Rule = (subject, context) =>
  networksTextsOf(subject, context).flatMap((source) =>
    (findNetworksJson(source)?.comments ?? []).map(
      (comment): Finding => ({
        rule: 'json-comment',
        severity: 'warning',
        message: `a "${comment.marker}" comment: JSON has none; accepted here, refused by other implementations${isFolded(source.text)}`,
        fix: 'Remove it, or write it outside the quotes as a comment of YAML.',
        field: source.field,
        position: comment,
      }),
    ),
  )

/** YAML joins the lines of a quoted text, and the comment loses its end. */
function isFolded(text: string): string {
  return text.trim().includes('\n') ? '' : '. YAML has joined the lines of the text, so the comment has lost its end'
}
