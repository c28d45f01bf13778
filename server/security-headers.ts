/** The headers that keep foreign content out of the page. */
import helmet from 'helmet';

/** Nothing but our own files runs or loads; uploaded pictures are shown from `blob:` and `data:` addresses. */
export function securityHeaders({ isTls }: { readonly isTls: boolean }) {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // Plain HTTP on this machine or behind a proxy that ends TLS: what that proxy promises is not ours to say.
    strictTransportSecurity: isTls,
    // Browsers complain in their console about these two on plain HTTP.
    crossOriginOpenerPolicy: isTls,
    originAgentCluster: isTls,
  });
}
