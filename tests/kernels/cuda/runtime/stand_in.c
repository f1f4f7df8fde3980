/* A stand-in for cuBLASLt on memory of the host, as its header describes it. Matrices are column-major. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION 130100
#endif

enum { SUCCESS = 0, INVALID = 7, UNSUPPORTED = 15 };
enum { CREATE, HEURISTIC, CHECK, MATMUL, FUNCTIONS };

int failing[FUNCTIONS]; /* the status that a function gives in place of success */
int called[FUNCTIONS];
int alive;             /* descriptions that were made and not destroyed */
int64_t last_stream;
uint32_t last_reductions;
uint64_t last_workspace;

typedef struct { int compute, scale, ta, tb; uint32_t epilogue; const void *bias; } Description;
typedef struct { int type, count; uint64_t rows, columns; int64_t leading, step; } Layout;
typedef struct { uint64_t workspace; uint32_t reductions, alignments[4]; } Preference;
typedef struct { uint64_t data[8]; } Algorithm;
typedef struct { Algorithm algorithm; size_t workspace; int state; float waves; int reserved[4]; } Found;

#define MAGIC 0xFEEDu
#define CALLED(f) do { called[f]++; if (failing[f]) return failing[f]; } while (0)
#define MAKE(type, out) type *made = calloc(1, sizeof *made); *(out) = made; alive++

size_t cublasLtGetVersion(void) { return VERSION; }

int cublasLtCreate(void **handle) { CALLED(CREATE); *handle = malloc(1); return SUCCESS; }

int cublasLtMatmulDescCreate(void **out, int compute, int scale) {
  MAKE(Description, out); made->compute = compute; made->scale = scale; made->epilogue = 1; return SUCCESS;
}
int cublasLtMatrixLayoutCreate(void **out, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  MAKE(Layout, out); made->type = type; made->rows = rows; made->columns = columns; made->leading = leading;
  made->count = 1; return leading < (int64_t)rows ? INVALID : SUCCESS;
}
int cublasLtMatmulPreferenceCreate(void **out) { MAKE(Preference, out); made->reductions = 7; return SUCCESS; }
int cublasLtMatmulDescDestroy(void *x) { free(x); alive--; return SUCCESS; }
int cublasLtMatrixLayoutDestroy(void *x) { free(x); alive--; return SUCCESS; }
int cublasLtMatmulPreferenceDestroy(void *x) { free(x); alive--; return SUCCESS; }

static int put(void *where, size_t size, const void *value, size_t given) {
  if (size != given) return INVALID;
  memcpy(where, value, size);
  return SUCCESS;
}
int cublasLtMatmulDescSetAttribute(Description *d, int attribute, const void *value, size_t size) {
  switch (attribute) {
    case 3: return put(&d->ta, 4, value, size);
    case 4: return put(&d->tb, 4, value, size);
    case 7: return put(&d->epilogue, 4, value, size);
    case 8: return put(&d->bias, 8, value, size);
  }
  return INVALID;
}
int cublasLtMatrixLayoutSetAttribute(Layout *l, int attribute, const void *value, size_t size) {
  if (attribute == 5) return put(&l->count, 4, value, size);
  return attribute == 6 ? put(&l->step, 8, value, size) : INVALID;
}
int cublasLtMatmulPreferenceSetAttribute(Preference *p, int attribute, const void *value, size_t size) {
  if (attribute == 1) return put(&p->workspace, 8, value, size);
  if (attribute == 3) return put(&p->reductions, 4, value, size);
  return attribute >= 5 && attribute <= 8 ? put(&p->alignments[attribute - 5], 4, value, size) : INVALID;
}

/* Whether the sizes of op(A), op(B), C and D fit. */
static int fits(const Description *d, const Layout *a, const Layout *b, const Layout *c, const Layout *e) {
  uint64_t m = d->ta ? a->columns : a->rows, k = d->ta ? a->rows : a->columns;
  uint64_t n = d->tb ? b->rows : b->columns, other = d->tb ? b->columns : b->rows;
  return k == other && c->rows == m && c->columns == n && c == e && a->count == c->count && b->count == c->count;
}

/* The first choice does not work; the second does, unless an operand of bfloat16 begins at no multiple of 16. */
int cublasLtMatmulAlgoGetHeuristic(void *handle, Description *d, Layout *a, Layout *b, Layout *c, Layout *e,
                                   Preference *p, int asked, Found *found, int *count) {
  CALLED(HEURISTIC);
  if (!fits(d, a, b, c, e) || asked < 2) return INVALID;
  last_reductions = p->reductions; last_workspace = p->workspace;
  if (d->compute == 75 && (p->alignments[0] < 16 || p->alignments[1] < 16)) return UNSUPPORTED;
  found[0].state = UNSUPPORTED; found[1].state = SUCCESS;
  found[1].workspace = p->workspace < 512 ? p->workspace : 512;
  found[1].algorithm.data[0] = MAGIC;
  for (int i = 0; i < 4; i++) found[1].algorithm.data[1 + i] = p->alignments[i];
  found[1].algorithm.data[5] = d->epilogue; found[1].algorithm.data[6] = (uint64_t)d->bias & 255;
  *count = 2;
  return SUCCESS;
}
int cublasLtMatmulAlgoCheck(void *handle, Description *d, Layout *a, Layout *b, Layout *c, Layout *e,
                            const Algorithm *algorithm, Found *found) {
  CALLED(CHECK);
  found->workspace = 512;
  return fits(d, a, b, c, e) && algorithm->data[0] == MAGIC ? SUCCESS : INVALID;
}

static float rounded(float x) { uint32_t bits; memcpy(&bits, &x, 4); bits = (bits + 0x8000u) & 0xFFFF0000u; memcpy(&x, &bits, 4); return x; }

#define MULTIPLY(T, ROUND)                                                                                             \
  for (int i = 0; i < c->count; i++)                                                                                   \
    for (uint64_t row = 0; row < c->rows; row++)                                                                       \
      for (uint64_t column = 0; column < c->columns; column++) {                                                       \
        T sum = 0;                                                                                                     \
        for (uint64_t q = 0; q < k; q++) {                                                                             \
          T x = ((const T *)A)[i * a->step + (d->ta ? q + row * a->leading : row + q * a->leading)];                   \
          T y = ((const T *)B)[i * b->step + (d->tb ? column + q * b->leading : q + column * b->leading)];             \
          sum += ROUND(x) * ROUND(y);                                                                                  \
        }                                                                                                              \
        if (d->epilogue == 4) sum += ((const T *)d->bias)[row];                                                        \
        ((T *)D)[i * c->step + row + column * c->leading] = *(const T *)alpha * sum;                                   \
      }

int cublasLtMatmul(void *handle, Description *d, const void *alpha, const void *A, Layout *a, const void *B, Layout *b,
                   const void *beta, const void *C, Layout *c, void *D, Layout *e, const Algorithm *algorithm,
                   void *workspace, size_t size, int64_t stream) {
  CALLED(MATMUL);
  const void *pointers[4] = {A, B, C, D};
  uint64_t k = d->ta ? a->rows : a->columns;
  if (!fits(d, a, b, c, e) || algorithm->data[0] != MAGIC || C != D || size < 512) return INVALID;
  if (*(const float *)beta != 0) return INVALID;
  for (int i = 0; i < 4; i++) if ((uint64_t)pointers[i] % algorithm->data[1 + i]) return INVALID;
  memset(workspace, 0xFF, size);
  last_stream = stream;
  if (d->compute == 70) { MULTIPLY(double, ) }
  else if (d->compute == 75) { MULTIPLY(float, rounded) }
  else { MULTIPLY(float, ) }
  return SUCCESS;
}
