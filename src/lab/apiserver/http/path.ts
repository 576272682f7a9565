/** A path of the API taken apart, before it is known whether the kind exists. */
export interface ResourcePath {
  group: string
  version: string
  namespace: string | undefined
  plural: string
  name: string | undefined
  subresource: string | undefined
}

/**
 * `/api/v1/…` and `/apis/GROUP/VERSION/…`, with `namespaces/NS/` before namespaced kinds. Undefined when the path is
 * not about a kind.
 */
export function parseResourcePath(pathname: string): ResourcePath | undefined {
  const parts = pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decode)
  const isCore = parts[0] === 'api'
  if (!isCore && parts[0] !== 'apis') return undefined
  const [group, version] = isCore ? ['', parts[1]] : [parts[1], parts[2]]
  const rest = parts.slice(isCore ? 2 : 3)
  if (group === undefined || version === undefined || rest.length === 0) return undefined
  return { group, version, ...splitRest(rest) }
}

type Rest = Omit<ResourcePath, 'group' | 'version'>

/** `namespaces/x` is about the namespace itself; `namespaces/x/pods` about pods in it; status and finalize are subresources. */
function splitRest(rest: string[]): Rest {
  const isInside = rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2] ?? '')
  const [plural = '', name, ...below] = isInside ? rest.slice(2) : rest
  const subresource = below.length === 0 ? undefined : below.join('/')
  return { namespace: isInside ? rest[1] : undefined, plural, name, subresource }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
