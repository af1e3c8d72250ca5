# What `cmake --install` copies besides the program: the library, its public headers, and what
# find_package(finedelta) needs.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/finedelta)

install(TARGETS finedelta EXPORT finedeltaTargets)
install(TARGETS finedelta_cli)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/finedelta TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE TYPE DOC)

install(EXPORT finedeltaTargets NAMESPACE finedelta:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/finedeltaConfig.cmake.in
  ${PROJECT_BINARY_DIR}/finedeltaConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a new minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/finedeltaConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/finedeltaConfig.cmake
              ${PROJECT_BINARY_DIR}/finedeltaConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FinedeltaDependencies.cmake
        DESTINATION ${package_dir})
