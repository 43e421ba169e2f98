"""The operators that a SavedModel may hold: those that compute, and touch no file, no process and no other machine.

A SavedModel is a program. TensorFlow runs parts of it when it is loaded (initialisers) and all of it when the network
runs, and among TensorFlow's operators are some that write, read and delete files, call Python or end the process. What
is missing here is refused: an operator that nobody thought of is refused too.
"""

__all__ = ["ALLOWED", "RESTORING", "SAVING"]

_ARITHMETIC = """
Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh
BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1
Betainc Bincount BitwiseAnd BitwiseOr BitwiseXor Bucketize Cast Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Cross
CumulativeLogsumexp Cumprod Cumsum Dawsn DenseBincount Digamma Div DivNoNan Equal Erf Erfc Erfinv EuclideanNorm Exp
Expint Expm1 Floor FloorDiv FloorMod FresnelCos FresnelSin Greater GreaterEqual HistogramFixedWidth Igamma Igammac
Imag Inv Invert IsFinite IsInf IsNan L2Loss LeftShift Less LessEqual Lgamma LinSpace Log Log1p LogicalAnd LogicalNot
LogicalOr Max Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Polygamma PopulationCount Pow Prod
Range Real RealDiv Reciprocal RightShift Rint Round Rsqrt SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2
SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select SelectV2 Sigmoid Sign Sin Sinh Sqrt Square SquaredDifference
Sub Sum Tan Tanh TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
Xdivy Xlog1py Xlogy Zeta
"""
_MATRICES = """
BandedTriangularSolve BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky Einsum Eig FFT FFT2D FFT3D FFTND IFFT IFFT2D
IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND LogMatrixDeterminant Lu MatMul MatrixBandPart MatrixDeterminant MatrixDiag
MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixExponential MatrixInverse
MatrixLogarithm MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixSolveLs MatrixSquareRoot
MatrixTriangularSolve Qr RFFT RFFT2D RFFT3D RFFTND SelfAdjointEig SelfAdjointEigV2 SparseMatMul SparseTensorDenseMatMul
Svd TridiagonalMatMul TridiagonalSolve
"""
_NETWORKS = """
AvgPool AvgPool3D BiasAdd BiasAddV1 BlockLSTM BlockLSTMV2 Conv Conv2D Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D
Conv3DBackpropInput Conv3DBackpropInputV2 CudnnRNN CudnnRNNV2 CudnnRNNV3 DataFormatDimMap DataFormatVecPermute
DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Dequantize Dilation2D Elu FakeQuantWithMinMaxArgs
FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel FractionalAvgPool FractionalMaxPool FusedBatchNorm
FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D GRUBlockCell InTopK InTopKV2 LRN LSTMBlockCell
LeakyRelu LogSoftmax MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax NthElement QuantizeAndDequantize
QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeDownAndShrinkRange QuantizeV2
QuantizedAdd QuantizedAvgPool QuantizedBiasAdd QuantizedConcat QuantizedConv2D QuantizedMatMul QuantizedMaxPool
QuantizedMul QuantizedRelu QuantizedRelu6 QuantizedReshape Relu Relu6 Requantize RequantizationRange Selu Softmax
SoftmaxCrossEntropyWithLogits Softplus Softsign SparseSoftmaxCrossEntropyWithLogits TopK TopKV2
"""
_ARRAYS = """
BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo CheckNumerics CheckNumericsV2 Concat
ConcatOffset ConcatV2 ConjugateTranspose Const DebugGradientIdentity DeepCopy DepthToSpace Diag DiagPart
DynamicPartition DynamicStitch Empty EnsureShape ExpandDims ExtractImagePatches ExtractVolumePatches FakeParam Fill
Gather GatherNd GatherV2 GuaranteeConst Identity IdentityN InplaceAdd InplaceSub InplaceUpdate InvertPermutation
ListDiff
LowerBound MirrorPad OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch Placeholder PlaceholderV2
PlaceholderWithDefault PreventGradient RaggedGather RaggedRange RaggedTensorToSparse RaggedTensorToTensor Rank Reshape
Reverse ReverseSequence ReverseV2 Roll ScatterNd ScatterNdNonAliasingAdd Shape ShapeN Size Slice Snapshot SpaceToBatch
SpaceToBatchND SpaceToDepth SparseReshape SparseSegmentMean SparseSegmentSum SparseToDense Split SplitV Squeeze
StopGradient StridedSlice TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
TensorStridedSliceUpdate Tile Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex
UpperBound Where ZerosLike
"""
_PICTURES = """
AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression CropAndResize DecodeAndCropJpeg
DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeRaw DrawBoundingBoxes DrawBoundingBoxesV2
ExtractGlimpse ExtractGlimpseV2 ExtractJpegShape GenerateBoundingBoxProposals HSVToRGB ImageProjectiveTransformV2
ImageProjectiveTransformV3 NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4
NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps RGBToHSV ResizeArea ResizeBicubic ResizeBilinear
ResizeNearestNeighbor SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 ScaleAndTranslate
StatelessSampleDistortedBoundingBox
"""
_GRADIENTS = """
AvgPool3DGrad AvgPoolGrad BiasAddGrad Conv2DBackpropFilter Conv2DBackpropFilterV2 Conv3DBackpropFilterV2
CropAndResizeGradBoxes CropAndResizeGradImage DepthwiseConv2dNativeBackpropFilter EluGrad FusedBatchNormGrad
FusedBatchNormGradV2 FusedBatchNormGradV3 IgammaGradA InvGrad LRNGrad LeakyReluGrad MaxPool3DGrad MaxPoolGrad
MaxPoolGradV2 MirrorPadGrad ReciprocalGrad Relu6Grad ReluGrad ResizeBicubicGrad ResizeBilinearGrad
ResizeNearestNeighborGrad RsqrtGrad ScaleAndTranslateGrad SeluGrad SigmoidGrad SoftplusGrad SoftsignGrad SqrtGrad
StridedSliceGrad SymbolicGradient TanhGrad
"""
_CHANCE = """
Multinomial NonDeterministicInts ParameterizedTruncatedNormal RandomGamma RandomPoisson RandomPoissonV2 RandomShuffle
RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip RngSkip StatefulStandardNormalV2
StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt StatelessMultinomial
StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomGetAlg StatelessRandomGetKeyCounter
StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal
StatelessTruncatedNormalV2 TruncatedNormal
"""
_CONTROL = """
Assert Case ControlTrigger EmptyTensorList Enter Exit For If LoopCond Merge NextIteration NoOp PartitionedCall
StackCloseV2 StackPopV2 StackPushV2 StackV2 StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile Switch
TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3
TensorArraySplitV3 TensorArrayV3 TensorArrayWriteV3 TensorListConcat TensorListConcatV2 TensorListElementShape
TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
TensorListReserve TensorListResize TensorListScatter TensorListScatterIntoExistingList TensorListScatterV2
TensorListSetItem TensorListSplit TensorListStack While
"""
_STATE = """
AnonymousHashTable Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp
DestroyResourceOp DisableCopyOnRead HashTable HashTableV2 InitializeTable InitializeTableV2 IsVariableInitialized
LookupTableExportV2 LookupTableFind LookupTableFindV2 LookupTableImportV2 LookupTableInsertV2 LookupTableSizeV2
MutableDenseHashTableV2 MutableHashTable MutableHashTableV2 ReadVariableOp ResourceGather ResourceGatherNd
ResourceScatterAdd ResourceScatterUpdate ResourceStridedSliceAssign VarHandleOp VarIsInitializedOp Variable
VariableShape
VariableV2
"""
_WORDS = """
AsString ReduceJoin RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin
StringLength StringLower StringSplit StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast
StringToHashBucketStrong StringToNumber StringUpper Substr UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode
UnicodeTranscode
"""
_LISTS = (_ARITHMETIC, _MATRICES, _NETWORKS, _ARRAYS, _PICTURES, _GRADIENTS, _CHANCE, _CONTROL, _STATE, _WORDS)
ALLOWED = frozenset(" ".join(_LISTS).split())
"""Operators that compute, in memory alone."""
RESTORING = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
"""What restores variables from files holds besides; it is run when a SavedModel of the first TensorFlow is loaded."""
SAVING = frozenset({"MergeV2Checkpoints", "RestoreV2", "Save", "SaveV2", "ShardedFilename"})
"""What saves variables holds besides; a network that is wrapped does not run it."""
