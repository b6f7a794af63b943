/**
 * Whether a Gateway API HTTPRoute takes the path for a PathPrefix or Exact match. Source: gateway.networking.k8s.io/v1,
 * the CEL rules of HTTPPathMatch.
 */
export function isHttpRoutePath (path: string): boolean {
  return path.startsWith('/') && path.length <= 1_024 &&
    ['//', '/./', '/../', '%2f', '%2F', '#'].every((forbidden) => !path.includes(forbidden)) &&
    !path.endsWith('/..') && !path.endsWith('/.') &&
    /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$/.test(path)
}
