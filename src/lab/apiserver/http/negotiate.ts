/** The form of objects that a client asks for in its Accept header. */
export type Form = 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList'

/** The first form in the header that this server has; protobuf is never one of them, JSON always is. */
export function formOf(accept: string): Form {
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3)
    if (as === undefined && /^(application\/json|application\/\*|\*\/\*)$/.test(type)) return 'object'
    if (type === 'application/json' && isForm(as)) return as
  }
  return 'object'
}

function isForm(text: string | undefined): text is Form {
  return text === 'Table' || text === 'PartialObjectMetadata' || text === 'PartialObjectMetadataList'
}
