/** Leaves out what is undefined, as exactOptionalPropertyTypes asks for. Pure. */
export const defined = <T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T // SAFETY: only absent keys go
