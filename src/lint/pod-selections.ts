import { TwinlaneError } from '../base/errors.ts'
import { type CommentedJson, type Position, parseCommentedJson } from '../kube/resources/commented-json.ts'
import { defaultNetworkAnnotation, networksAnnotation } from '../kube/resources/net-attach-def.ts'
import { type NetworkSelection, parseNetworks } from '../kube/resources/network-selection.ts'
import type { LintContext } from './context.ts'
import type { Subject } from './subject.ts'

/** An annotation of the pod that names networks. */
export interface NetworksText {
  readonly field: readonly (string | number)[]
  readonly text: string
  /** Of an element that names none. */
  readonly namespace: string
  /** Interface that the elements may not take; empty: any. */
  readonly defaultInterface: string
  readonly isDefault: boolean
}

/** Name of a pod's first interface, as every container runtime of Kubernetes asks for. */
export const defaultInterface = 'eth0'

/** Those of the two annotations that the pod has. */
export function networksTextsOf({ object, path }: Subject, context: LintContext): NetworksText[] {
  const { annotations = {}, namespace = 'default' } = object.metadata
  const entries = [
    { key: networksAnnotation, namespace, defaultInterface, isDefault: false },
    { key: defaultNetworkAnnotation, namespace: context.conf.multusNamespace, defaultInterface: '', isDefault: true },
  ]
  return entries.flatMap(({ key, ...rest }) => {
    const text = annotations[key]
    return typeof text === 'string' ? [{ ...rest, text, field: [...path, 'metadata', 'annotations', key] }] : []
  })
}

/** One network that a pod asks for, and where it stands in the annotation. */
export interface PlacedSelection {
  readonly selection: NetworkSelection
  readonly source: NetworksText
  positionOf(key: string): Position | undefined
}

/** All networks that the pod asks for; none from an annotation that is refused. */
export function placedSelections(subject: Subject, context: LintContext): PlacedSelection[] {
  return networksTextsOf(subject, context).flatMap((source) => {
    const json = findNetworksJson(source)
    const starts = json === undefined ? itemStarts(source.text) : []
    return parse(source).map((selection, index) => ({
      selection,
      source,
      positionOf: (key) =>
        json === undefined ? starts[index] : (json.positionOf(`[${index}].${key}`) ?? json.positionOf(`[${index}]`)),
    }))
  })
}

/** The annotation as JSON with positions, when it is of that form and right. */
export function findNetworksJson({ text }: NetworksText): CommentedJson | undefined {
  try {
    return parseCommentedJson(text)
  } catch {
    return undefined
  }
}

function parse({ text, namespace, defaultInterface }: NetworksText): readonly NetworkSelection[] {
  try {
    return parseNetworks(text, namespace, { defaultInterface }).selections
  } catch (error) {
    if (error instanceof TwinlaneError) return []
    throw error
  }
}

/** Where each item of the short form begins. */
function itemStarts(text: string): Position[] {
  let column = 1
  return text.split(',').map((item) => {
    const start = { line: 1, column: column + item.length - item.trimStart().length }
    column += item.length + 1
    return start
  })
}
