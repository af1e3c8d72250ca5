# Finds what the library links against, for this build and for every project that uses an installed
# finedelta: there it runs again, so that nothing remembers where this machine keeps its libraries.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)
find_dependency(OpenSSL COMPONENTS Crypto)

# Makes finedelta::NAME from the first of the given library files that is found.
function(finedelta_find_library name)
  if(TARGET finedelta::${name})
    return()
  endif()
  find_library(FINEDELTA_${name}_LIBRARY NAMES ${ARGN})
  if(NOT FINEDELTA_${name}_LIBRARY)
    message(FATAL_ERROR "finedelta needs the library ${name} (looked for: ${ARGN})")
  endif()
  mark_as_advanced(FINEDELTA_${name}_LIBRARY)
  add_library(finedelta::${name} UNKNOWN IMPORTED)
  set_target_properties(finedelta::${name}
    PROPERTIES IMPORTED_LOCATION ${FINEDELTA_${name}_LIBRARY})
endfunction()

# The coder uses calls that only the static libzstd has.
finedelta_find_library(zstd libzstd.a)
finedelta_find_library(xxhash xxhash)
finedelta_find_library(highway hwy)
