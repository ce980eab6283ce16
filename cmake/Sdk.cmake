# The C++ client library as a CMake package and for pkg-config: component "sdk" of `cmake --install`.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

install(TARGETS stigg_sidecar_sdk EXPORT stigg_sidecar_sdk ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk)
install(DIRECTORY include/stigg DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT sdk)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/stigg_sidecar_sdk)
install(EXPORT stigg_sidecar_sdk NAMESPACE stigg:: DESTINATION ${package} FILE stigg_sidecar_sdk-targets.cmake
        COMPONENT sdk)
configure_package_config_file(cmake/stigg_sidecar_sdk-config.cmake.in ${CMAKE_BINARY_DIR}/stigg_sidecar_sdk-config.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/stigg_sidecar_sdk-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/stigg_sidecar_sdk-config.cmake
              ${CMAKE_BINARY_DIR}/stigg_sidecar_sdk-config-version.cmake
        DESTINATION ${package} COMPONENT sdk)

# However deep the directory of libraries is (lib, lib64, lib/x86_64-linux-gnu).
file(RELATIVE_PATH SDK_PKGCONFIG_TO_PREFIX "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" SDK_PKGCONFIG_TO_PREFIX "${SDK_PKGCONFIG_TO_PREFIX}")
configure_file(cmake/stigg-sidecar-sdk.pc.in ${CMAKE_BINARY_DIR}/stigg-sidecar-sdk.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/stigg-sidecar-sdk.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT sdk)
